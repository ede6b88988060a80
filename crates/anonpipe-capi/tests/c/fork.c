/* What a forked process may do with the operations that came along: let go of them, without waiting for anything. Unix. */
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

/* The parent's, in which nothing completes unless the test wants it. */
static anonpipe_end *reader, *writer;
static anonpipe_op *pending_read, *pending_write;
static char in[6], out[1 << 20];

static void put_in_flight(void) {
  open_pair(ANONPIPE_DUPLEX, 0, &reader, &writer);
  CHECK_EQ(anonpipe_submit_read(reader, in, sizeof in, &pending_read), 0);
  CHECK_EQ(anonpipe_submit_write(reader, out, sizeof out, &pending_write), 0);
  /* The driver's thread runs, and has looked at both. */
  CHECK_EQ(anonpipe_wait_timeout(pending_write, 50, NULL), ANONPIPE_E_PENDING);
}

/* In the child. Returns 0, or where it went wrong. */
static int let_go(void) {
  anonpipe_op *ops[2];
  size_t count = 4711, index = 4711;
  ops[0] = pending_read;
  ops[1] = pending_write;
  if (anonpipe_wait(pending_read, &count) != ANONPIPE_E_UNSUPPORTED) return 1;
  if (anonpipe_wait_timeout(pending_write, ANONPIPE_INFINITE, &count) != ANONPIPE_E_UNSUPPORTED) return 2;
  if (anonpipe_wait_timeout(pending_write, 0, &count) != ANONPIPE_E_UNSUPPORTED) return 3;
  if (anonpipe_wait_any(ops, 2, ANONPIPE_INFINITE, &index) != 0 || index != 0) return 4;
  if (anonpipe_cancel(pending_read) != 0 || anonpipe_cancel(pending_write) != 0) return 5;
  if (anonpipe_wait(pending_write, &count) != ANONPIPE_E_UNSUPPORTED) return 6;
  anonpipe_op_release(pending_write);
  anonpipe_end_close(reader);
  anonpipe_op_release(pending_read); /* also when its end is closed already */
  anonpipe_end_close(writer);
  return 0;
}

/* Starts a child, which ends with what `run` returns, or by a signal if it hangs. */
static pid_t start_child(int (*run)(void)) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(deadline_s());
    _exit(run());
  }
  return child;
}

static void finish_child(pid_t child) {
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(!(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)); /* it hung */
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
}

/* The parent's operations go on. */
static void finish_operations(void) {
  size_t count = 0, total = 0;
  static char sink[1 << 16];
  CHECK_EQ(anonpipe_write(writer, "parent", 6, LONG_MS, NULL), 0);
  CHECK_EQ(anonpipe_wait_timeout(pending_read, LONG_MS, &count), 0);
  CHECK_EQ(count, 6);
  CHECK(memcmp(in, "parent", 6) == 0);
  while (total < sizeof out) {
    CHECK_EQ(anonpipe_read(writer, sink, sizeof sink, LONG_MS, &count), 0);
    total += count;
  }
  CHECK_EQ(anonpipe_wait_timeout(pending_write, LONG_MS, &count), 0);
  CHECK_EQ(count, sizeof out);
  anonpipe_op_release(pending_read);
  anonpipe_op_release(pending_write);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

static void a_child_lets_go_of_the_parents_operations(void) {
  put_in_flight();
  finish_child(start_child(let_go));
  finish_operations();
}

static void wait_for_read(void *unused) {
  (void)unused;
  CHECK_EQ(anonpipe_wait_timeout(pending_read, LONG_MS, NULL), 0);
}

/* Its threads are not in the child, but what they had locked is. */
static void a_child_lets_go_of_operations_that_the_parent_waits_for(void) {
  struct thread waiting[3];
  int index;
  put_in_flight();
  for (index = 0; index < 3; index++) start(&waiting[index], wait_for_read, NULL);
  sleep_ms(50);
  finish_child(start_child(let_go));
  CHECK_EQ(anonpipe_write(writer, "parent", 6, LONG_MS, NULL), 0);
  for (index = 0; index < 3; index++) join(&waiting[index]);
  CHECK_EQ(anonpipe_cancel(pending_write), 0);
  anonpipe_op_release(pending_read);
  anonpipe_op_release(pending_write);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

/* As a destructor of C++ does, or a library's exit handler. */
static void let_go_at_exit(void) { _exit(let_go()); }

static int fail_to_execute(void) {
  if (atexit(let_go_at_exit) != 0) return 10;
  execl("/nonexistent/program", "program", (char *)NULL);
  if (errno != ENOENT) return 11;
  exit(12);
}

static void an_exit_handler_lets_go_after_a_failed_exec(void) {
  put_in_flight();
  finish_child(start_child(fail_to_execute));
  finish_operations();
}

static volatile int done;

/* Locks what belongs to the ends, now and then. */
static void submit_and_cancel(void *unused) {
  (void)unused;
  while (!done) {
    char byte;
    anonpipe_op *op;
    CHECK_EQ(anonpipe_submit_read(reader, &byte, 1, &op), 0);
    CHECK_EQ(anonpipe_cancel(op), 0);
    anonpipe_op_release(op);
    CHECK_EQ(anonpipe_submit_write(reader, "x", 1, &op), 0);
    anonpipe_op_release(op);
  }
}

/* Locks what belongs to the operations, most of the time. */
static void ask_again_and_again(void *unused) {
  (void)unused;
  while (!done) {
    CHECK_EQ(anonpipe_wait_timeout(pending_read, 0, NULL), ANONPIPE_E_PENDING);
    CHECK_EQ(anonpipe_wait_timeout(pending_write, 0, NULL), ANONPIPE_E_PENDING);
  }
}

static void a_child_lets_go_amid_the_parents_busy_threads(void) {
  struct thread busy[3];
  int index, round;
  put_in_flight();
  for (index = 0; index < 3; index++) start(&busy[index], index == 0 ? submit_and_cancel : ask_again_and_again, NULL);
  for (round = 0; round < 200; round++) {
    progress();
    finish_child(start_child(round % 2 ? let_go : fail_to_execute));
  }
  done = 1;
  for (index = 0; index < 3; index++) join(&busy[index]);
  finish_operations();
}

static int use_a_pair_of_its_own(void) {
  char byte = 0;
  anonpipe_end *server, *client;
  anonpipe_op *op, *ops[2];
  size_t index = 4711;
  open_pair(ANONPIPE_INBOUND, 0, &server, &client);
  if (anonpipe_submit_read(server, &byte, 1, &op) != 0) return 20;
  ops[0] = op;
  ops[1] = pending_read;
  /* The parent's counts as complete, its own does not. */
  if (anonpipe_wait_any(ops, 2, LONG_MS, &index) != 0 || index != 1) return 21;
  if (anonpipe_wait_timeout(op, 20, NULL) != ANONPIPE_E_PENDING) return 22;
  if (anonpipe_write(client, "y", 1, LONG_MS, NULL) != 0) return 23;
  if (anonpipe_wait_any(ops, 1, LONG_MS, &index) != 0 || index != 0) return 24;
  if (anonpipe_wait_timeout(op, LONG_MS, NULL) != 0 || byte != 'y') return 25;
  if (anonpipe_wait_any(ops, 2, LONG_MS, &index) != 0 || index != 0) return 26;
  anonpipe_op_release(op);
  anonpipe_end_close(server);
  anonpipe_end_close(client);
  return let_go();
}

static void a_child_has_operations_of_its_own(void) {
  put_in_flight();
  finish_child(start_child(use_a_pair_of_its_own));
  finish_operations();
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(a_child_lets_go_of_the_parents_operations),
      TEST(a_child_lets_go_of_operations_that_the_parent_waits_for),
      TEST(an_exit_handler_lets_go_after_a_failed_exec),
      TEST(a_child_has_operations_of_its_own),
      TEST(a_child_lets_go_amid_the_parents_busy_threads),
  };
  return RUN_TESTS(tests, argc, argv);
}
