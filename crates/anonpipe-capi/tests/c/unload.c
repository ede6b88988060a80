/* Unloading the library does no harm, although its thread has an operation to complete. This program is not linked with it. */
#include <anonpipe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#define LIBRARY "anonpipe.dll"
static void *load(void) { return LoadLibraryA(LIBRARY); }
static void unload(void *library) { FreeLibrary(library); }
static int say(HANDLE handle) {
  OVERLAPPED overlapped;
  DWORD count = 0;
  memset(&overlapped, 0, sizeof overlapped);
  if (!WriteFile(handle, "late", 4, NULL, &overlapped) && GetLastError() != ERROR_IO_PENDING) return 0;
  return GetOverlappedResult(handle, &overlapped, &count, TRUE) && count == 4;
}
static void pause_briefly(void) { Sleep(10); }
#else
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#define LIBRARY "@rpath/libanonpipe.dylib"
#else
#define LIBRARY "libanonpipe.so.0.1"
#endif
static void *load(void) { return dlopen(LIBRARY, RTLD_NOW); }
static void unload(void *library) { dlclose(library); }
static int say(int descriptor) { return write(descriptor, "late", 4) == 4; }
static void pause_briefly(void) {
  struct timespec time = {0, 10000000};
  nanosleep(&time, NULL);
}
#endif

/* ISO C knows no conversion between pointers to objects and to functions. */
static void look_up(void *library, const char *name, void *function) {
#ifdef _WIN32
  FARPROC found = GetProcAddress(library, name);
#else
  void *found = dlsym(library, name);
#endif
  memcpy(function, &found, sizeof found);
}

/* The library's thread fills it. */
static volatile char buffer[8];

/* Whether it does so within ANONPIPE_TEST_DEADLINE, in seconds. */
static int is_filled(void) {
  const char *text = getenv("ANONPIPE_TEST_DEADLINE");
  long left = 100 * (text == NULL ? 60 : strtol(text, NULL, 10));
  while (buffer[3] == 0 && left-- > 0) pause_briefly();
  return buffer[0] == 'l' && buffer[1] == 'a' && buffer[2] == 't' && buffer[3] == 'e';
}

static int use_and_unload(void) {
  int (*pair)(const anonpipe_options *, anonpipe_handle *, anonpipe_handle *);
  int (*end_open)(anonpipe_handle, anonpipe_end **);
  int (*submit_read)(anonpipe_end *, void *, size_t, anonpipe_op **);
  int (*wait_timeout)(anonpipe_op *, uint32_t, size_t *);
  anonpipe_handle server, client;
  anonpipe_end *reader;
  anonpipe_op *op;
  void *library = load();
  if (library == NULL) return 1;
  look_up(library, "anonpipe_pair", &pair);
  look_up(library, "anonpipe_end_open", &end_open);
  look_up(library, "anonpipe_submit_read", &submit_read);
  look_up(library, "anonpipe_wait_timeout", &wait_timeout);
  if (pair(NULL, &server, &client) || end_open(server, &reader)) return 2;
  if (submit_read(reader, (char *)buffer, sizeof buffer, &op)) return 3;
  if (wait_timeout(op, 50, NULL) != ANONPIPE_E_PENDING) return 4; /* by now the thread runs */
  unload(library);
  if (!say(client)) return 5; /* which wakes it */
  return is_filled() ? 0 : 6;
}

int main(int argc, char **argv) {
  int code;
  if (argc > 1 && strcmp(argv[1], "--list") == 0) return puts("the_thread_of_an_unloaded_library_does_no_harm") < 0;
  code = use_and_unload();
  if (code != 0) printf("failed at %d\n", code);
  return code;
}
