// libcurl, loaded when the first of its functions is called: it brings thirty libraries and 6 MiB of resident memory into a
// process, and most sidecars never speak HTTP.
#include "CCurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

// What curl.h has for compilers that check arguments.
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

static void *library;

static void end_without(const char *what) {
  fprintf(stderr, "libcurl is needed for HTTP, but %s: install libcurl4\n", what);
  _exit(EX_UNAVAILABLE);
}

static void load(void) {
  library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) end_without(dlerror());
}

static void *find(const char *name) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  void *function = dlsym(library, name);
  if (!function) end_without(dlerror());
  return function;
}

// The function in libcurl, in `real`. Whoever comes at the same time finds the same.
#define REAL(result, name, parameters)                                                                               \
  static _Atomic(void *) found;                                                                                      \
  if (!found) found = find(#name);                                                                                   \
  result(*real) parameters = (result(*) parameters)found

#define FORWARD(result, name, parameters, arguments)                                                                 \
  result name parameters {                                                                                           \
    REAL(result, name, parameters);                                                                                  \
    return real arguments;                                                                                           \
  }

// Variadic, with one argument: a long, a curl_off_t or a pointer, which are all of one size and passed alike on 64-bit Linux.
#define FORWARD_OPTION(result, name, handle_type, option_type)                                                       \
  result name(handle_type handle, option_type option, ...) {                                                         \
    REAL(result, name, (handle_type, option_type, ...));                                                             \
    va_list list;                                                                                                    \
    va_start(list, option);                                                                                          \
    void *value = va_arg(list, void *);                                                                              \
    va_end(list);                                                                                                    \
    return real(handle, option, value);                                                                              \
  }
_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *), "arguments of options");

FORWARD(CURLcode, curl_global_init, (long flags), (flags))
FORWARD(void, curl_free, (void *memory), (memory))

FORWARD(CURL *, curl_easy_init, (void), ())
FORWARD(void, curl_easy_cleanup, (CURL * easy), (easy))
FORWARD(CURLcode, curl_easy_pause, (CURL * easy, int directions), (easy, directions))
FORWARD(const char *, curl_easy_strerror, (CURLcode code), (code))
FORWARD_OPTION(CURLcode, curl_easy_setopt, CURL *, CURLoption)
FORWARD_OPTION(CURLcode, curl_easy_getinfo, CURL *, CURLINFO)

FORWARD(CURLM *, curl_multi_init, (void), ())
FORWARD(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi))
FORWARD(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL *easy), (multi, easy))
FORWARD(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL *easy), (multi, easy))
FORWARD(CURLMcode, curl_multi_socket_action, (CURLM * multi, curl_socket_t socket, int events, int *running),
        (multi, socket, events, running))
FORWARD(CURLMsg *, curl_multi_info_read, (CURLM * multi, int *left), (multi, left))
FORWARD(const char *, curl_multi_strerror, (CURLMcode code), (code))
FORWARD_OPTION(CURLMcode, curl_multi_setopt, CURLM *, CURLMoption)

FORWARD(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *text), (list, text))
FORWARD(void, curl_slist_free_all, (struct curl_slist * list), (list))

FORWARD(CURLU *, curl_url, (void), ())
FORWARD(void, curl_url_cleanup, (CURLU * url), (url))
// By its name in the object file: some releases say `const` in its declaration, some do not.
CURLUcode get_part(const CURLU *, CURLUPart, char **, unsigned int) __asm__("curl_url_get");
CURLUcode get_part(const CURLU *url, CURLUPart part, char **value, unsigned int flags) {
  REAL(CURLUcode, curl_url_get, (const CURLU *, CURLUPart, char **, unsigned int));
  return real(url, part, value, flags);
}
FORWARD(CURLUcode, curl_url_set, (CURLU * url, CURLUPart part, const char *value, unsigned int flags),
        (url, part, value, flags))
FORWARD(const char *, curl_url_strerror, (CURLUcode code), (code))
