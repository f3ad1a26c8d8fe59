#!/bin/sh
curl -fsSL x
