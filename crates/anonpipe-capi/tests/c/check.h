/* What the test programs share: checks, a list of tests, and the few things that C99 leaves to the system. */
#ifndef CHECK_H
#define CHECK_H

#include "anonpipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#include <process.h>
#else
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#endif

struct test {
  const char *name;
  void (*run)(void);
};
#define TEST(name) {#name, name}

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
/* Compares numbers, and shows both when they differ. */
#define CHECK_EQ(is, expected) check_equal(__FILE__, __LINE__, #is, (long long)(is), (long long)(expected))

static inline void check_failed(const char *file, int line, const char *what) {
  char text[300] = "";
  anonpipe_last_error_text(text, sizeof text);
  printf("%s:%d: not so: %s\n  (last failure of this thread: %s)\n", file, line, what, *text ? text : "none");
  fflush(stdout);
  exit(1);
}

static inline void check_equal(const char *file, int line, const char *what, long long is, long long expected) {
  char text[300];
  if (is == expected) return;
  snprintf(text, sizeof text, "%s is %lld, expected %lld", what, is, expected);
  check_failed(file, line, text);
}

/* Handles. */

static inline void close_handle(anonpipe_handle handle) {
#ifdef _WIN32
  CHECK(CloseHandle(handle));
#else
  CHECK_EQ(close(handle), 0);
#endif
}

static inline int is_inheritable(anonpipe_handle handle) {
#ifdef _WIN32
  DWORD flags = 0;
  CHECK(GetHandleInformation(handle, &flags));
  return (flags & HANDLE_FLAG_INHERIT) != 0;
#else
  return (fcntl(handle, F_GETFD) & FD_CLOEXEC) == 0;
#endif
}

#ifdef _WIN32
static inline int is_wine(void) {
  return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}

/* For Wine 8, where the count is always 0: handles are multiples of four, and the lowest free one is given out first. */
static inline long handles_by_trying(void) {
  long count = 0;
  int gap = 0;
  uintptr_t value;
  for (value = 4; gap < 1000; value += 4) {
    DWORD flags;
    if (GetHandleInformation((HANDLE)value, &flags)) {
      count++;
      gap = 0;
    } else {
      gap++;
    }
  }
  return count;
}
#endif

/* How many handles this process has. */
static inline long open_handles(void) {
#ifdef _WIN32
  DWORD count = 0;
  if (is_wine()) return handles_by_trying();
  CHECK(GetProcessHandleCount(GetCurrentProcess(), &count));
  return (long)count;
#else
  long count = 0;
  DIR *dir = opendir("/dev/fd");
  CHECK(dir != NULL);
  while (readdir(dir) != NULL) count++;
  closedir(dir);
  return count;
#endif
}

/* Times. */

/* How long what must happen may take, as for the tests in Rust: on a slow machine set it higher. */
static inline unsigned deadline_s(void) {
  const char *text = getenv("ANONPIPE_TEST_DEADLINE");
  unsigned long seconds = text == NULL ? 0 : strtoul(text, NULL, 10);
  return seconds > 0 && seconds < 1000000 ? (unsigned)seconds : 60;
}
#define LONG_MS (deadline_s() * 1000)

static inline void sleep_ms(unsigned ms) {
#ifdef _WIN32
  Sleep(ms);
#else
  struct timespec time;
  time.tv_sec = (time_t)(ms / 1000);
  time.tv_nsec = (long)(ms % 1000) * 1000000;
  nanosleep(&time, NULL);
#endif
}

/* A pair of ends for operations: `direction` as the server has it. */
static inline void open_pair(uint32_t direction, uint64_t capacity, anonpipe_end **server, anonpipe_end **client) {
  anonpipe_options options = ANONPIPE_OPTIONS_INIT;
  anonpipe_handle ours, theirs;
  options.direction = direction;
  options.capacity = capacity;
  CHECK_EQ(anonpipe_pair(&options, &ours, &theirs), 0);
  CHECK_EQ(anonpipe_end_open(ours, server), 0);
  CHECK_EQ(anonpipe_end_open(theirs, client), 0);
}

/* Threads. */

struct thread {
  void (*run)(void *);
  void *argument;
#ifdef _WIN32
  HANDLE handle;
#else
  pthread_t handle;
#endif
};

#ifdef _WIN32
static inline unsigned __stdcall thread_main(void *thread) {
  ((struct thread *)thread)->run(((struct thread *)thread)->argument);
  return 0;
}
#else
static inline void *thread_main(void *thread) {
  ((struct thread *)thread)->run(((struct thread *)thread)->argument);
  return NULL;
}
#endif

static inline void start(struct thread *thread, void (*run)(void *), void *argument) {
  thread->run = run;
  thread->argument = argument;
#ifdef _WIN32
  thread->handle = (HANDLE)_beginthreadex(NULL, 0, thread_main, thread, 0, NULL);
  CHECK(thread->handle != NULL);
#else
  CHECK_EQ(pthread_create(&thread->handle, NULL, thread_main, thread), 0);
#endif
}

static inline void join(struct thread *thread) {
#ifdef _WIN32
  CHECK_EQ(WaitForSingleObject(thread->handle, INFINITE), WAIT_OBJECT_0);
  CloseHandle(thread->handle);
#else
  CHECK_EQ(pthread_join(thread->handle, NULL), 0);
#endif
}

/* Running them. */

static volatile unsigned progress_made;

/* A test that does very much says so now and then: how long it takes in all depends on the machine. */
static inline void progress(void) { progress_made++; }

/* Ends the program if a test makes no progress for longer than any of its own waits takes. */
static inline void watch(void *name) {
  unsigned seen = progress_made, idle_s = 0;
  while (idle_s < deadline_s() + 10) {
    sleep_ms(1000);
    idle_s = progress_made == seen ? idle_s + 1 : 0;
    seen = progress_made;
  }
  printf("%s hangs: no progress for %u s\n", (const char *)name, idle_s);
  fflush(stdout);
  _exit(86);
}

/* Without arguments runs all tests; with --list names them; with a name runs that one. */
static inline int run_tests(const struct test *tests, size_t count, int argc, char **argv) {
  static struct thread watchdog;
  static char name[200];
  size_t index, ran = 0;
  for (index = 0; index < count; index++) {
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
      printf("%s\n", tests[index].name);
    } else if (argc < 2 || strcmp(argv[1], tests[index].name) == 0) {
      snprintf(name, sizeof name, "%s", tests[index].name);
      progress();
      if (ran++ == 0) start(&watchdog, watch, name);
      tests[index].run();
    }
  }
  return argc > 1 && strcmp(argv[1], "--list") != 0 && ran == 0 ? 2 : 0;
}
#define RUN_TESTS(tests, argc, argv) run_tests(tests, sizeof(tests) / sizeof((tests)[0]), argc, argv)

#endif
