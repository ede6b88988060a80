/* Operations: what a caller sees, on buffers of its own. */
#include "check.h"

static anonpipe_end *reader, *writer;

static void open_one_way(void) { open_pair(ANONPIPE_INBOUND, 0, &reader, &writer); }

static void close_both(void) {
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

static anonpipe_op *submit_read(void *buffer, size_t length) {
  anonpipe_op *op = NULL;
  CHECK_EQ(anonpipe_submit_read(reader, buffer, length, &op), 0);
  return op;
}

static anonpipe_op *submit_write(const void *bytes, size_t length) {
  anonpipe_op *op = NULL;
  CHECK_EQ(anonpipe_submit_write(writer, bytes, length, &op), 0);
  return op;
}

static void finish(anonpipe_op *op, int code, size_t expected) {
  size_t count = 4711;
  CHECK_EQ(anonpipe_wait_timeout(op, LONG_MS, &count), code);
  CHECK_EQ(count, expected);
  anonpipe_op_release(op);
}

static void write_all(const char *text) {
  size_t count;
  CHECK_EQ(anonpipe_write(writer, text, strlen(text), LONG_MS, &count), 0);
  CHECK_EQ(count, strlen(text));
}

static void a_read_waits_for_bytes(void) {
  char buffer[16];
  size_t count = 4711;
  anonpipe_op *op;
  open_one_way();
  op = submit_read(buffer, sizeof buffer);
  CHECK_EQ(anonpipe_wait_timeout(op, 0, &count), ANONPIPE_E_PENDING);
  CHECK_EQ(count, 4711);
  write_all("hello");
  CHECK_EQ(anonpipe_wait(op, &count), 0);
  CHECK_EQ(count, 5);
  CHECK_EQ(anonpipe_wait(op, NULL), 0); /* again, and not interested in the count */
  finish(op, 0, 5);
  CHECK(memcmp(buffer, "hello", 5) == 0);
  close_both();
}

static void operations_are_served_in_order(void) {
  char buffers[100][1], number;
  anonpipe_op *ops[100];
  int index;
  open_one_way();
  for (index = 0; index < 100; index++) ops[index] = submit_read(buffers[index], 1);
  for (index = 0; index < 100; index++) {
    number = (char)index;
    finish(submit_write(&number, 1), 0, 1);
  }
  for (index = 0; index < 100; index++) {
    finish(ops[index], 0, 1);
    CHECK_EQ(buffers[index][0], index);
  }
  close_both();
}

static void the_end_of_file_is_success_with_no_bytes(void) {
  char buffer[16];
  anonpipe_op *op;
  size_t count;
  open_one_way();
  op = submit_read(buffer, sizeof buffer);
  write_all("rest");
  finish(op, 0, 4);
  write_all("more");
  op = submit_read(buffer, 2);
  anonpipe_end_close(writer);
  finish(op, 0, 2);
  finish(submit_read(buffer, sizeof buffer), 0, 2);
  finish(submit_read(buffer, sizeof buffer), 0, 0);
  finish(submit_read(buffer, sizeof buffer), 0, 0);
  CHECK_EQ(anonpipe_read(reader, buffer, sizeof buffer, ANONPIPE_INFINITE, &count), 0);
  CHECK_EQ(count, 0);
  CHECK_EQ(anonpipe_bytes_available(reader, &count), 0);
  CHECK_EQ(count, 0);
  anonpipe_end_close(reader);
}

static void nobody_reads_any_more(void) {
  size_t count = 4711;
  open_one_way();
  anonpipe_end_close(reader);
  finish(submit_write("x", 1), ANONPIPE_E_BROKEN_PIPE, 0);
  CHECK_EQ(anonpipe_write(writer, "x", 1, ANONPIPE_INFINITE, &count), ANONPIPE_E_BROKEN_PIPE);
  CHECK_EQ(count, 0);
  CHECK_EQ(anonpipe_write(writer, "x", 1, LONG_MS, NULL), ANONPIPE_E_BROKEN_PIPE);
  anonpipe_end_close(writer);
}

static void a_cancelled_read_loses_nothing(void) {
  char buffer[16];
  anonpipe_op *op;
  size_t count = 4711;
  open_one_way();
  op = submit_read(buffer, sizeof buffer);
  CHECK_EQ(anonpipe_cancel(op), 0);
  finish(op, ANONPIPE_E_CANCELLED, 0);
  CHECK_EQ(anonpipe_read(reader, buffer, sizeof buffer, 20, &count), ANONPIPE_E_TIMED_OUT);
  CHECK_EQ(count, 0);
  write_all("whole");
  op = submit_read(buffer, sizeof buffer);
  finish(op, 0, 5);
  close_both();
}

static void a_cancel_that_comes_too_late_changes_nothing(void) {
  char buffer[16];
  anonpipe_op *op;
  size_t count;
  open_one_way();
  write_all("early");
  op = submit_read(buffer, sizeof buffer);
  CHECK_EQ(anonpipe_wait(op, &count), 0);
  CHECK_EQ(anonpipe_cancel(op), 0);
  finish(op, 0, 5);
  close_both();
}

/* What a write that was ended before everything went may say of how much that was. */
static void check_partial(size_t count, size_t length) {
#ifdef _WIN32
  CHECK_EQ(count, ANONPIPE_UNKNOWN);
  (void)length;
#else
  CHECK(count > 0 && count < length);
#endif
}

static void a_cancelled_write_says_how_much_had_gone(void) {
  static char buffer[1 << 20];
  anonpipe_op *op;
  size_t count = 4711;
  open_one_way();
  op = submit_write(buffer, sizeof buffer);
  CHECK_EQ(anonpipe_wait_timeout(op, 50, NULL), ANONPIPE_E_PENDING);
  CHECK_EQ(anonpipe_cancel(op), 0);
  CHECK_EQ(anonpipe_wait(op, &count), ANONPIPE_E_CANCELLED);
  check_partial(count, sizeof buffer);
  anonpipe_op_release(op);
  close_both();
  open_one_way();
  CHECK_EQ(anonpipe_write(writer, buffer, sizeof buffer, 50, &count), ANONPIPE_E_TIMED_OUT);
  check_partial(count, sizeof buffer);
  close_both();
}

static void releasing_waits_until_the_buffer_is_free(void) {
  char *buffer = malloc(1 << 20);
  anonpipe_op *op;
  open_one_way();
  op = submit_read(buffer, 1 << 20);
  anonpipe_op_release(op);
  op = submit_write(buffer, 1 << 20);
  anonpipe_op_release(op);
  anonpipe_op_release(NULL);
  memset(buffer, 1, 1 << 20);
  free(buffer); /* The sanitizer sees it if it is still used. */
  close_both();
}

static void closing_an_end_cancels_its_reads(void) {
  char buffer[16];
  anonpipe_op *op;
  open_one_way();
  op = submit_read(buffer, sizeof buffer);
  anonpipe_end_close(reader);
  finish(op, ANONPIPE_E_CANCELLED, 0);
  anonpipe_end_close(writer);
  anonpipe_end_close(NULL);
}

static void closing_an_end_finishes_its_writes(void) {
  static char out[1 << 20], in[1 << 20];
  anonpipe_op *op;
  size_t count, total = 0;
  open_one_way();
  memset(out, 7, sizeof out);
  op = submit_write(out, sizeof out);
  anonpipe_end_close(writer);
  do {
    CHECK_EQ(anonpipe_read(reader, in, sizeof in, LONG_MS, &count), 0);
    total += count;
  } while (count > 0);
  CHECK_EQ(total, sizeof out);
  finish(op, 0, sizeof out);
  anonpipe_end_close(reader);
}

static void the_first_of_several(void) {
  char buffers[3][8];
  anonpipe_op *ops[6];
  anonpipe_end *first_reader, *first_writer;
  size_t index = 4711;
  open_one_way();
  first_reader = reader;
  first_writer = writer;
  ops[0] = NULL;
  ops[1] = submit_read(buffers[0], 8);
  open_one_way();
  ops[2] = submit_read(buffers[1], 8);
  ops[3] = submit_read(buffers[2], 8);
  ops[4] = ops[2]; /* one may be listed twice */
  ops[5] = NULL;
  CHECK_EQ(anonpipe_wait_any(ops, 6, 0, &index), ANONPIPE_E_PENDING);
  CHECK_EQ(anonpipe_wait_any(ops, 6, 20, &index), ANONPIPE_E_PENDING);
  CHECK_EQ(index, 4711);
  write_all("a");
  CHECK_EQ(anonpipe_wait_any(ops, 6, LONG_MS, &index), 0);
  CHECK_EQ(index, 2);
  CHECK_EQ(anonpipe_wait_any(ops, 6, ANONPIPE_INFINITE, &index), 0); /* nothing was taken */
  CHECK_EQ(index, 2);
  CHECK_EQ(anonpipe_wait(ops[2], NULL), 0);
  CHECK_EQ(anonpipe_wait_any(ops, 6, ANONPIPE_INFINITE, &index), 0); /* not even now */
  CHECK_EQ(index, 2);
  CHECK_EQ(anonpipe_wait_any(ops, 2, 20, &index), ANONPIPE_E_PENDING);
  CHECK_EQ(anonpipe_wait_any(ops, 1, 20, &index), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_wait_any(ops, 0, 20, &index), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_wait_any(NULL, 1, 20, &index), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_wait_any(ops, SIZE_MAX, 20, &index), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_wait_any(ops, 3, 20, NULL), ANONPIPE_E_INVALID_ARGUMENT);
  for (index = 1; index < 4; index++) anonpipe_op_release(ops[index]);
  close_both();
  anonpipe_end_close(first_reader);
  anonpipe_end_close(first_writer);
}

static void nothing_to_do_is_done_at_once(void) {
  size_t count = 4711;
  open_one_way();
  finish(submit_read(NULL, 0), 0, 0);
  finish(submit_write(NULL, 0), 0, 0);
  CHECK_EQ(anonpipe_read(reader, NULL, 0, ANONPIPE_INFINITE, &count), 0);
  CHECK_EQ(count, 0);
  count = 4711;
  CHECK_EQ(anonpipe_write(writer, NULL, 0, ANONPIPE_INFINITE, &count), 0);
  CHECK_EQ(count, 0);
  CHECK_EQ(anonpipe_bytes_available(reader, &count), 0);
  CHECK_EQ(count, 0);
  close_both();
}

static void no_time_at_all_takes_what_is_there(void) {
  char buffer[8];
  size_t count = 4711;
  open_one_way();
  CHECK_EQ(anonpipe_read(reader, buffer, sizeof buffer, 0, &count), ANONPIPE_E_TIMED_OUT);
  CHECK_EQ(count, 0);
  CHECK_EQ(anonpipe_write(writer, "now", 3, 0, &count), 0);
  CHECK_EQ(count, 3);
  CHECK_EQ(anonpipe_read(reader, buffer, sizeof buffer, 0, &count), 0);
  CHECK_EQ(count, 3);
  close_both();
}

static void taking_out_the_handle_of_a_busy_end_is_refused(void) {
  char buffer[8];
  anonpipe_handle handle;
  anonpipe_op *op;
  open_one_way();
  op = submit_read(buffer, sizeof buffer);
  CHECK_EQ(anonpipe_end_into_handle(reader, &handle), ANONPIPE_E_BUSY);
  write_all("still");
  finish(op, 0, 5);
  close_both();
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(a_read_waits_for_bytes),
      TEST(operations_are_served_in_order),
      TEST(the_end_of_file_is_success_with_no_bytes),
      TEST(nobody_reads_any_more),
      TEST(a_cancelled_read_loses_nothing),
      TEST(a_cancel_that_comes_too_late_changes_nothing),
      TEST(a_cancelled_write_says_how_much_had_gone),
      TEST(releasing_waits_until_the_buffer_is_free),
      TEST(closing_an_end_cancels_its_reads),
      TEST(closing_an_end_finishes_its_writes),
      TEST(the_first_of_several),
      TEST(nothing_to_do_is_done_at_once),
      TEST(no_time_at_all_takes_what_is_there),
      TEST(taking_out_the_handle_of_a_busy_end_is_refused),
  };
  return RUN_TESTS(tests, argc, argv);
}
