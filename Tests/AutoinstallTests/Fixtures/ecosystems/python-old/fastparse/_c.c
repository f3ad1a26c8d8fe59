#include <Python.h>
#include <yaml.h>
