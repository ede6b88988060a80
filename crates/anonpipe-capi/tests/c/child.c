/* The question's use: a child whose standard handles are the client end (Windows). The child is this program, on the C runtime. */
#include "question.h"

/* Answers every line, until one says stop. */
static int be_the_child(void) {
  char line[100];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "stop\n") == 0) return 7;
    printf("heard %s", line);
    fflush(stdout);
  }
  return 8;
}

static HANDLE start_child(HANDLE client) {
  char path[MAX_PATH], command[MAX_PATH + 20];
  STARTUPINFOA startup;
  PROCESS_INFORMATION child;
  memset(&startup, 0, sizeof startup);
  startup.cb = sizeof startup;
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = startup.hStdOutput = startup.hStdError = client;
  CHECK(GetModuleFileNameA(NULL, path, sizeof path) < sizeof path);
  snprintf(command, sizeof command, "\"%s\" --child", path);
  CHECK(CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &child));
  close_handle(child.hThread);
  close_handle(client); /* The child has its own; ours would hide the end of file. */
  return child.hProcess;
}

static void finish_child(HANDLE child) {
  DWORD code = 0;
  CHECK_EQ(WaitForSingleObject(child, LONG_MS), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(child, &code));
  CHECK_EQ(code, 7);
  close_handle(child);
}

static void a_child_talks_through_the_client_end(void) {
  int which;
  for (which = 0; which < 2; which++) {
    HANDLE server, client, child;
    anonpipe_end *end;
    anonpipe_op *op;
    char text[100] = "";
    size_t count = 0, length = 0;
    CHECK_EQ(make(which, &server, &client), 0);
    child = start_child(client);
    CHECK_EQ(anonpipe_end_open(server, &end), 0);
    CHECK_EQ(anonpipe_submit_read(end, text, sizeof text, &op), 0); /* in flight while we write */
    CHECK_EQ(anonpipe_write(end, "one\r\n", 5, LONG_MS, NULL), 0);
    CHECK_EQ(anonpipe_wait_timeout(op, LONG_MS, &length), 0);
    anonpipe_op_release(op);
    CHECK_EQ(anonpipe_write(end, "two\r\nstop\r\n", 11, LONG_MS, NULL), 0);
    do {
      CHECK_EQ(anonpipe_read(end, text + length, sizeof text - length, LONG_MS, &count), 0);
      length += count;
    } while (count > 0);
    CHECK_EQ(length, strlen("heard one\r\nheard two\r\n"));
    CHECK(memcmp(text, "heard one\r\nheard two\r\n", length) == 0);
    finish_child(child);
    anonpipe_end_close(end);
  }
}

/* The same with nothing of this library's but the pair. */
static void a_child_talks_to_plain_overlapped_io(void) {
  HANDLE server, client, child;
  OVERLAPPED overlapped;
  char text[100] = "";
  DWORD count = 0, length = 0;
  CHECK_EQ(CreatePipeAnonymousPair7(&server, &client), 0);
  child = start_child(client);
  memset(&overlapped, 0, sizeof overlapped);
  overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
  CHECK(WriteFile(server, "one\r\nstop\r\n", 11, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
  CHECK(GetOverlappedResult(server, &overlapped, &count, TRUE));
  for (;;) {
    if (!ReadFile(server, text + length, (DWORD)sizeof text - length, NULL, &overlapped) &&
        GetLastError() != ERROR_IO_PENDING)
      break;
    if (!GetOverlappedResult(server, &overlapped, &count, TRUE)) break;
    length += count;
  }
  CHECK_EQ(GetLastError(), ERROR_BROKEN_PIPE);
  CHECK_EQ(length, strlen("heard one\r\n"));
  finish_child(child);
  close_handle(overlapped.hEvent);
  close_handle(server);
}

/* The server end is private: a child that outlives the conversation does not keep it open. */
static void the_child_does_not_have_our_end(void) {
  HANDLE server, client, child;
  DWORD code = 0;
  CHECK_EQ(CreatePipeAnonymousPair7(&server, &client), 0);
  child = start_child(client);
  close_handle(server);
  CHECK_EQ(WaitForSingleObject(child, LONG_MS), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(child, &code));
  CHECK_EQ(code, 8); /* it saw the end of its input */
  close_handle(child);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(a_child_talks_through_the_client_end),
      TEST(a_child_talks_to_plain_overlapped_io),
      TEST(the_child_does_not_have_our_end),
  };
  if (argc > 1 && strcmp(argv[1], "--child") == 0) return be_the_child();
  return RUN_TESTS(tests, argc, argv);
}
