/* Plain handles are good for every way of waiting that Windows has. Each way is a test, on both functions' handles. */
#include "question.h"

#include <fcntl.h>
#include <io.h>

/* An overlapped reader, and a synchronous writer, from each of the three functions in turn. */
#define FOR_EACH_PAIR(which, reader, writer) \
  for (which = 0; which < 3 && make(which, &reader, &writer) == 0; which++, close_handle(reader), close_handle(writer))

static void say(HANDLE writer, const char *text) {
  DWORD count = 0;
  CHECK(WriteFile(writer, text, (DWORD)strlen(text), &count, NULL));
  CHECK_EQ(count, strlen(text));
}

static void an_event_and_get_overlapped_result(void) {
  HANDLE reader, writer;
  int which, rounds = 0;
  FOR_EACH_PAIR(which, reader, writer) {
    OVERLAPPED overlapped;
    char buffer[16];
    DWORD count = 0;
    memset(&overlapped, 0, sizeof overlapped);
    overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    CHECK(!ReadFile(reader, buffer, sizeof buffer, NULL, &overlapped));
    CHECK_EQ(GetLastError(), ERROR_IO_PENDING);
    CHECK_EQ(WaitForSingleObject(overlapped.hEvent, 20), WAIT_TIMEOUT);
    CHECK(!GetOverlappedResult(reader, &overlapped, &count, FALSE));
    CHECK_EQ(GetLastError(), ERROR_IO_INCOMPLETE);
    say(writer, "event");
    CHECK_EQ(WaitForSingleObject(overlapped.hEvent, LONG_MS), WAIT_OBJECT_0);
    CHECK(GetOverlappedResult(reader, &overlapped, &count, FALSE));
    CHECK_EQ(count, 5);
    CHECK(memcmp(buffer, "event", 5) == 0);
    close_handle(overlapped.hEvent);
    rounds++;
  }
  CHECK_EQ(rounds, 3);
}

static void a_completion_port(void) {
  HANDLE reader, writer;
  int which, rounds = 0;
  FOR_EACH_PAIR(which, reader, writer) {
    OVERLAPPED overlapped, *completed = NULL;
    char buffer[16];
    DWORD count = 0;
    ULONG_PTR key = 0;
    /* Fails if the handle is bound to a port already. */
    HANDLE port = CreateIoCompletionPort(reader, NULL, 42, 1);
    CHECK(port != NULL);
    memset(&overlapped, 0, sizeof overlapped);
    CHECK(!ReadFile(reader, buffer, sizeof buffer, NULL, &overlapped));
    CHECK_EQ(GetLastError(), ERROR_IO_PENDING);
    CHECK(!GetQueuedCompletionStatus(port, &count, &key, &completed, 20));
    say(writer, "port");
    CHECK(GetQueuedCompletionStatus(port, &count, &key, &completed, LONG_MS));
    CHECK_EQ(count, 4);
    CHECK_EQ(key, 42);
    CHECK(completed == &overlapped);
    CHECK(memcmp(buffer, "port", 4) == 0);
    /* What succeeds at once is told too. */
    say(writer, "again");
    CHECK(ReadFile(reader, buffer, sizeof buffer, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetQueuedCompletionStatus(port, &count, &key, &completed, LONG_MS));
    CHECK_EQ(count, 5);
    close_handle(port);
    rounds++;
  }
  CHECK_EQ(rounds, 3);
}

static DWORD routine_count, routine_error, routine_calls;

static void CALLBACK routine(DWORD error, DWORD count, OVERLAPPED *overlapped) {
  (void)overlapped;
  routine_error = error;
  routine_count = count;
  routine_calls++;
}

static void completion_routines(void) {
  HANDLE reader, writer;
  int which;
  routine_calls = 0;
  FOR_EACH_PAIR(which, reader, writer) {
    OVERLAPPED overlapped;
    char buffer[16];
    memset(&overlapped, 0, sizeof overlapped);
    CHECK(ReadFileEx(reader, buffer, sizeof buffer, &overlapped, routine));
    CHECK_EQ(SleepEx(20, TRUE), 0);
    say(writer, "routine");
    CHECK_EQ(SleepEx(LONG_MS, TRUE), WAIT_IO_COMPLETION);
    CHECK_EQ(routine_error, 0);
    CHECK_EQ(routine_count, 7);
    CHECK(memcmp(buffer, "routine", 7) == 0);
    if (which < 2) { /* the pair's server end writes too */
      DWORD count = 0;
      memset(&overlapped, 0, sizeof overlapped);
      CHECK(WriteFileEx(reader, "back", 4, &overlapped, routine));
      CHECK_EQ(SleepEx(LONG_MS, TRUE), WAIT_IO_COMPLETION);
      CHECK_EQ(routine_error, 0);
      CHECK_EQ(routine_count, 4);
      CHECK(ReadFile(writer, buffer, sizeof buffer, &count, NULL));
      CHECK_EQ(count, 4);
    }
  }
  CHECK_EQ(routine_calls, 5);
}

struct pool_result {
  HANDLE done;
  ULONG error;
  ULONG_PTR count;
};

static void CALLBACK pool_callback(PTP_CALLBACK_INSTANCE instance, void *context, void *overlapped, ULONG error,
                                   ULONG_PTR count, PTP_IO io) {
  struct pool_result *result = context;
  (void)instance, (void)overlapped, (void)io;
  result->error = error;
  result->count = count;
  SetEvent(result->done);
}

static void thread_pool_io(void) {
  HANDLE reader, writer;
  int which, rounds = 0;
  FOR_EACH_PAIR(which, reader, writer) {
    struct pool_result result = {NULL, 1, 0};
    OVERLAPPED overlapped;
    char buffer[16];
    PTP_IO io;
    result.done = CreateEventW(NULL, TRUE, FALSE, NULL);
    memset(&overlapped, 0, sizeof overlapped);
    io = CreateThreadpoolIo(reader, pool_callback, &result, NULL);
    CHECK(io != NULL);
    StartThreadpoolIo(io);
    CHECK(!ReadFile(reader, buffer, sizeof buffer, NULL, &overlapped));
    CHECK_EQ(GetLastError(), ERROR_IO_PENDING);
    say(writer, "pool");
    CHECK_EQ(WaitForSingleObject(result.done, LONG_MS), WAIT_OBJECT_0);
    WaitForThreadpoolIoCallbacks(io, FALSE);
    CHECK_EQ(result.error, 0);
    CHECK_EQ(result.count, 4);
    CHECK(memcmp(buffer, "pool", 4) == 0);
    CloseThreadpoolIo(io);
    close_handle(result.done);
    rounds++;
  }
  CHECK_EQ(rounds, 3);
}

static void write_later(void *writer) {
  sleep_ms(50);
  say(writer, "later");
}

static void a_synchronous_end_blocks(void) {
  HANDLE server, client, read, write;
  struct thread thread;
  char buffer[16];
  DWORD count = 0;
  CHECK(MyCreatePipeEx(&read, &write, NULL, 0, 0, 0));
  start(&thread, write_later, write);
  CHECK(ReadFile(read, buffer, sizeof buffer, &count, NULL));
  CHECK_EQ(count, 5);
  join(&thread);
  close_handle(write);
  CHECK(!ReadFile(read, buffer, sizeof buffer, &count, NULL));
  CHECK_EQ(GetLastError(), ERROR_BROKEN_PIPE);
  close_handle(read);
  CHECK_EQ(CreatePipeAnonymousPair7(&server, &client), 0);
  pass(server, client);
  close_handle(server);
  CHECK(!ReadFile(client, buffer, sizeof buffer, &count, NULL));
  CHECK_EQ(GetLastError(), ERROR_BROKEN_PIPE);
  close_handle(client);
}

static void the_c_runtime_takes_a_synchronous_end(void) {
  HANDLE server, client, read, write;
  char line[64] = "";
  FILE *in, *out;
  DWORD count = 0;
  CHECK(MyCreatePipeEx(&read, &write, NULL, 0, 0, 0));
  in = _fdopen(_open_osfhandle((intptr_t)read, _O_RDONLY | _O_TEXT), "r");
  out = _fdopen(_open_osfhandle((intptr_t)write, _O_TEXT), "w");
  CHECK(in != NULL && out != NULL);
  CHECK_EQ(fprintf(out, "number %d\nand more\n", 42), 19);
  CHECK_EQ(fclose(out), 0);
  CHECK(fgets(line, sizeof line, in) != NULL && strcmp(line, "number 42\n") == 0);
  CHECK(fgets(line, sizeof line, in) != NULL && strcmp(line, "and more\n") == 0);
  CHECK(fgets(line, sizeof line, in) == NULL && feof(in));
  fclose(in);
  /* The question's client end, as a child's runtime would take it. */
  CHECK_EQ(CreatePipeAnonymousPair(&server, &client), 0);
  out = _fdopen(_open_osfhandle((intptr_t)client, _O_TEXT), "w");
  CHECK(out != NULL);
  CHECK(fputs("from the runtime", out) >= 0 && fclose(out) == 0);
  {
    OVERLAPPED overlapped;
    memset(&overlapped, 0, sizeof overlapped);
    CHECK(ReadFile(server, line, sizeof line, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(server, &overlapped, &count, TRUE));
  }
  CHECK_EQ(count, strlen("from the runtime"));
  close_handle(server);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(an_event_and_get_overlapped_result),
      TEST(a_completion_port),
      TEST(completion_routines),
      TEST(thread_pool_io),
      TEST(a_synchronous_end_blocks),
      TEST(the_c_runtime_takes_a_synchronous_end),
  };
  return RUN_TESTS(tests, argc, argv);
}
