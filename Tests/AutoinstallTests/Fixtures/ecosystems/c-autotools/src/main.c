#include <stdio.h>
#include <openssl/ssl.h>
#include <shop.h>
