// libcurl's types and numbers. The library itself is opened when it is first needed, so that a command that needs no network does not load it and the
// thirty libraries that it brings: its functions are called through what dlsym found. Here is the one that takes any number of arguments.
#ifndef TERRINE_CCURL_H
#define TERRINE_CCURL_H
#include <curl/curl.h>

typedef CURLcode (*ccurl_setopt)(CURL *, CURLoption, ...);
typedef size_t (*ccurl_data)(char *bytes, size_t one, size_t count, void *context);
typedef int (*ccurl_seek)(void *context, curl_off_t offset, int origin);

static inline CURLcode ccurl_set_long(void *setopt, CURL *handle, CURLoption option, long value) {
    return ((ccurl_setopt)setopt)(handle, option, value);
}
static inline CURLcode ccurl_set_offset(void *setopt, CURL *handle, CURLoption option, curl_off_t value) {
    return ((ccurl_setopt)setopt)(handle, option, value);
}
static inline CURLcode ccurl_set_pointer(void *setopt, CURL *handle, CURLoption option, const void *value) {
    return ((ccurl_setopt)setopt)(handle, option, value);
}
static inline CURLcode ccurl_set_text(void *setopt, CURL *handle, CURLoption option, const char *value) {
    return ((ccurl_setopt)setopt)(handle, option, value);
}
static inline CURLcode ccurl_set_data(void *setopt, CURL *handle, CURLoption option, ccurl_data value) {
    return ((ccurl_setopt)setopt)(handle, option, value);
}
static inline CURLcode ccurl_set_seek(void *setopt, CURL *handle, CURLoption option, ccurl_seek value) {
    return ((ccurl_setopt)setopt)(handle, option, value);
}
#endif
