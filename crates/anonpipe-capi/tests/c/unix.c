/* What only Unix has: SIGPIPE, descriptors that run out, fork. */
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static volatile sig_atomic_t signals;

static void count_signal(int number) {
  (void)number;
  signals++;
}

/* Writes in every way there is to a pipe that has no reader any more. */
static void write_without_a_reader(uint32_t direction) {
  static char big[1 << 20];
  anonpipe_end *server, *client;
  anonpipe_op *op;
  size_t count;
  open_pair(direction, 0, &server, &client);
  /* One is under way, on the library's thread, when the reader goes. */
  CHECK_EQ(anonpipe_submit_write(server, big, sizeof big, &op), 0);
  CHECK_EQ(anonpipe_wait_timeout(op, 50, NULL), ANONPIPE_E_PENDING);
  anonpipe_end_close(client);
  CHECK_EQ(anonpipe_wait_timeout(op, LONG_MS, &count), ANONPIPE_E_BROKEN_PIPE);
  CHECK(count < sizeof big);
  anonpipe_op_release(op);
  CHECK_EQ(anonpipe_submit_write(server, "x", 1, &op), 0);
  CHECK_EQ(anonpipe_wait_timeout(op, LONG_MS, &count), ANONPIPE_E_BROKEN_PIPE);
  anonpipe_op_release(op);
  CHECK_EQ(anonpipe_write(server, "x", 1, LONG_MS, NULL), ANONPIPE_E_BROKEN_PIPE);
  CHECK_EQ(anonpipe_write(server, "x", 1, ANONPIPE_INFINITE, NULL), ANONPIPE_E_BROKEN_PIPE);
  anonpipe_end_close(server);
}

/* As a library does that ignores the signal for a while. */
static void no_signal_kills_a_program_that_changes_its_mind(void) {
  anonpipe_end *server, *client;
  CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  open_pair(ANONPIPE_OUTBOUND, 0, &server, &client);
  CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  anonpipe_end_close(client);
  CHECK_EQ(anonpipe_write(server, "x", 1, LONG_MS, NULL), ANONPIPE_E_BROKEN_PIPE);
  anonpipe_end_close(server);
}

static void no_signal_kills_a_program_that_lets_sigpipe_be(void) {
  struct sigaction action;
  sigset_t pending;
  CHECK_EQ(sigaction(SIGPIPE, NULL, &action), 0);
  CHECK(action.sa_handler == SIG_DFL);
  write_without_a_reader(ANONPIPE_OUTBOUND);
  write_without_a_reader(ANONPIPE_DUPLEX);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK(!sigismember(&pending, SIGPIPE));
  CHECK_EQ(sigaction(SIGPIPE, NULL, &action), 0);
  CHECK(action.sa_handler == SIG_DFL);
}

static void no_signal_reaches_a_handler(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = count_signal;
  CHECK_EQ(sigaction(SIGPIPE, &action, NULL), 0);
  write_without_a_reader(ANONPIPE_OUTBOUND);
  write_without_a_reader(ANONPIPE_DUPLEX);
  CHECK_EQ(signals, 0);
  raise(SIGPIPE);
  CHECK_EQ(signals, 1);
}

/* With room for one descriptor a pair fails after some of it was made, with none before that. */
static void too_many_open_files_leave_nothing_behind(void) {
  uint32_t direction;
  int room;
  for (direction = ANONPIPE_INBOUND; direction <= ANONPIPE_DUPLEX; direction++) {
    for (room = 0; room < 2; room++) {
      anonpipe_options options = ANONPIPE_OPTIONS_INIT;
      anonpipe_handle server = 4711, client = 4711;
      struct rlimit old, few;
      int next = dup(0), code, reopened;
      CHECK(next >= 0);
      close_handle(next);
      CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
      few = old;
      few.rlim_cur = (rlim_t)(next + room);
      CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
      options.direction = direction;
      code = anonpipe_pair(&options, &server, &client);
      CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
      CHECK_EQ(code, EMFILE);
      CHECK(server == 4711 && client == 4711);
      reopened = dup(0);
      CHECK_EQ(reopened, next);
      close_handle(reopened);
    }
  }
}

static void a_child_is_redirected_to_the_client_ends(void) {
  anonpipe_options options = ANONPIPE_OPTIONS_INIT;
  anonpipe_handle ours, out, theirs, in;
  anonpipe_end *reader, *writer;
  char buffer[64];
  size_t count, length = 0;
  int status;
  pid_t child;
  options.client_mode = ANONPIPE_BLOCKING;
  CHECK_EQ(anonpipe_pair(&options, &ours, &out), 0);
  CHECK_EQ(anonpipe_end_open(ours, &reader), 0);
  options.direction = ANONPIPE_OUTBOUND;
  CHECK_EQ(anonpipe_pair(&options, &theirs, &in), 0);
  CHECK_EQ(anonpipe_end_open(theirs, &writer), 0);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(in, 0);
    dup2(out, 1);
    execlp("tr", "tr", "a-z", "A-Z", (char *)NULL);
    _exit(127);
  }
  close_handle(in);
  close_handle(out);
  CHECK_EQ(anonpipe_write(writer, "both ways", 9, LONG_MS, NULL), 0);
  anonpipe_end_close(writer); /* private, so the child does not have it, and sees the end of file */
  do {
    CHECK_EQ(anonpipe_read(reader, buffer + length, sizeof buffer - length, LONG_MS, &count), 0);
    length += count;
  } while (count > 0);
  CHECK_EQ(length, 9);
  CHECK(memcmp(buffer, "BOTH WAYS", 9) == 0);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  anonpipe_end_close(reader);
}

static void any_nonblocking_pipe_can_be_opened(void) {
  int fds[2];
  anonpipe_end *reader = NULL, *writer = NULL;
  char byte = 0;
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(anonpipe_end_open(fds[0], &reader), ANONPIPE_E_WRONG_MODE);
  CHECK_EQ(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  CHECK_EQ(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
  CHECK_EQ(anonpipe_end_open(fds[0], &reader), 0);
  CHECK_EQ(anonpipe_end_open(fds[1], &writer), 0);
  CHECK_EQ(anonpipe_write(writer, "y", 1, LONG_MS, NULL), 0);
  CHECK_EQ(anonpipe_read(reader, &byte, 1, LONG_MS, NULL), 0);
  CHECK_EQ(byte, 'y');
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(no_signal_kills_a_program_that_lets_sigpipe_be),
      TEST(no_signal_kills_a_program_that_changes_its_mind),
      TEST(no_signal_reaches_a_handler),
      TEST(too_many_open_files_leave_nothing_behind),
      TEST(a_child_is_redirected_to_the_client_ends),
      TEST(any_nonblocking_pipe_can_be_opened),
  };
  return RUN_TESTS(tests, argc, argv);
}
