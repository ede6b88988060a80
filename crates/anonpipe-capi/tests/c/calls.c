/* The calls themselves: bad arguments, many threads, many calls. */
#include "check.h"

static void null_is_refused(void) {
  anonpipe_end *reader, *writer;
  anonpipe_op *op = NULL;
  char byte = 0;
  size_t count = 4711;
  open_pair(ANONPIPE_INBOUND, 0, &reader, &writer);
  CHECK_EQ(anonpipe_submit_read(NULL, &byte, 1, &op), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_submit_read(reader, NULL, 1, &op), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_submit_read(reader, &byte, SIZE_MAX, &op), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_submit_read(reader, &byte, 1, NULL), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_submit_write(NULL, &byte, 1, &op), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_submit_write(writer, NULL, 1, &op), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_submit_write(writer, &byte, 1, NULL), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_submit_write(reader, &byte, 1, &op), ANONPIPE_E_WRONG_DIRECTION);
  CHECK_EQ(anonpipe_submit_read(writer, &byte, 1, &op), ANONPIPE_E_WRONG_DIRECTION);
  CHECK(op == NULL);
  CHECK_EQ(anonpipe_read(NULL, &byte, 1, 0, &count), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_read(reader, NULL, 1, 0, &count), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_read(writer, &byte, 1, 0, &count), ANONPIPE_E_WRONG_DIRECTION);
  CHECK_EQ(anonpipe_write(reader, &byte, 1, 0, &count), ANONPIPE_E_WRONG_DIRECTION);
  CHECK_EQ(anonpipe_write(NULL, &byte, 1, 0, &count), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_write(writer, NULL, 1, 0, &count), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_wait(NULL, &count), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_wait_timeout(NULL, 0, &count), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_cancel(NULL), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_cancel_all(NULL), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_bytes_available(NULL, &count), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_bytes_available(reader, NULL), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_bytes_available(writer, &count), ANONPIPE_E_WRONG_DIRECTION);
  CHECK_EQ(anonpipe_shutdown_write(NULL), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_shutdown_write(writer), ANONPIPE_E_WRONG_DIRECTION);
  CHECK_EQ(count, 4711);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

/* Many threads. */

static anonpipe_op *shared;

static void wait_for_shared(void *unused) {
  size_t count = 0, index = 4711;
  anonpipe_op *ops[3];
  (void)unused;
  ops[0] = ops[1] = ops[2] = shared;
  CHECK_EQ(anonpipe_wait_any(ops, 3, LONG_MS, &index), 0);
  CHECK_EQ(index, 0);
  CHECK_EQ(anonpipe_wait_timeout(shared, LONG_MS, &count), 0);
  CHECK_EQ(count, 3);
}

static void several_threads_wait_for_one_operation(void) {
  int round, index;
  for (round = 0; round < 200; round++) {
    anonpipe_end *reader, *writer;
    struct thread threads[6];
    char buffer[8];
    progress();
    open_pair(ANONPIPE_INBOUND, 0, &reader, &writer);
    CHECK_EQ(anonpipe_submit_read(reader, buffer, sizeof buffer, &shared), 0);
    for (index = 0; index < 6; index++) start(&threads[index], wait_for_shared, NULL);
    if (round % 3 == 0) sleep_ms(1);
    CHECK_EQ(anonpipe_write(writer, "now", 3, LONG_MS, NULL), 0);
    for (index = 0; index < 6; index++) join(&threads[index]);
    anonpipe_op_release(shared);
    anonpipe_end_close(reader);
    anonpipe_end_close(writer);
  }
}

#define MANY 20000
static anonpipe_op *many[MANY];

static void list_each_very_often(void *unused) {
  anonpipe_op *list[64];
  size_t round, place, index;
  (void)unused;
  for (round = 0; round < MANY; round++) {
    progress();
    for (place = 0; place < 64; place++) list[place] = many[round];
    CHECK_EQ(anonpipe_wait_any(list, 64, LONG_MS, &index), 0);
    CHECK_EQ(index, 0);
  }
}

static void take_each_result(void *unused) {
  size_t round;
  (void)unused;
  for (round = 0; round < MANY; round++) CHECK_EQ(anonpipe_wait_timeout(many[round], LONG_MS, NULL), 0);
}

/* A result is taken just while another thread has the operation listed twice. */
static void taking_a_result_does_not_hold_up_those_who_wait(void) {
  anonpipe_end *reader, *writer;
  struct thread threads[2];
  size_t round;
  open_pair(ANONPIPE_INBOUND, 0, &reader, &writer);
  for (round = 0; round < MANY; round++) CHECK_EQ(anonpipe_submit_read(reader, NULL, 0, &many[round]), 0);
  start(&threads[0], list_each_very_often, NULL);
  start(&threads[1], take_each_result, NULL);
  join(&threads[0]);
  join(&threads[1]);
  for (round = 0; round < MANY; round++) anonpipe_op_release(many[round]);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

static anonpipe_end *blocked_end;
static volatile int blocked_code;

static void block(void *unused) {
  char byte;
  (void)unused;
  blocked_code = anonpipe_read(blocked_end, &byte, 1, LONG_MS, NULL);
}

static void cancel_all_ends_what_blocks_other_threads(void) {
  anonpipe_end *peer;
  anonpipe_op *op;
  struct thread thread;
  char byte;
  open_pair(ANONPIPE_DUPLEX, 0, &blocked_end, &peer);
  CHECK_EQ(anonpipe_submit_read(blocked_end, &byte, 1, &op), 0);
  blocked_code = 1;
  start(&thread, block, NULL);
  /* Nothing tells when the thread is in its read. */
  do {
    sleep_ms(10);
    CHECK_EQ(anonpipe_cancel_all(blocked_end), 0);
  } while (blocked_code == 1);
  join(&thread);
  CHECK_EQ(blocked_code, ANONPIPE_E_CANCELLED);
  CHECK_EQ(anonpipe_wait_timeout(op, LONG_MS, NULL), ANONPIPE_E_CANCELLED);
  anonpipe_op_release(op);
  anonpipe_end_close(blocked_end);
  anonpipe_end_close(peer);
}

static void submit_and_end(void *buffer) { CHECK_EQ(anonpipe_submit_read(blocked_end, buffer, 8, &shared), 0); }

static void an_operation_outlives_the_thread_that_submitted_it(void) {
  anonpipe_end *peer;
  struct thread thread;
  char buffer[8];
  size_t count = 0;
  open_pair(ANONPIPE_DUPLEX, 0, &blocked_end, &peer);
  start(&thread, submit_and_end, buffer);
  join(&thread);
  CHECK_EQ(anonpipe_wait_timeout(shared, 50, &count), ANONPIPE_E_PENDING);
  CHECK_EQ(anonpipe_write(peer, "alive", 5, LONG_MS, NULL), 0);
  CHECK_EQ(anonpipe_wait_timeout(shared, LONG_MS, &count), 0);
  CHECK_EQ(count, 5);
  anonpipe_op_release(shared);
  anonpipe_end_close(blocked_end);
  anonpipe_end_close(peer);
}

static void a_program_may_end_with_operations_in_flight(void) {
  static anonpipe_end *peer;
  static char buffer[8];
  open_pair(ANONPIPE_DUPLEX, 0, &blocked_end, &peer);
  CHECK_EQ(anonpipe_submit_read(blocked_end, buffer, sizeof buffer, &shared), 0);
  CHECK_EQ(anonpipe_wait_timeout(shared, 50, NULL), ANONPIPE_E_PENDING);
}

struct traffic {
  anonpipe_end *from, *to;
  unsigned total;
};

static void send_numbers(void *argument) {
  struct traffic *traffic = argument;
  unsigned char chunk[997];
  unsigned sent = 0, index;
  while (sent < traffic->total) {
    unsigned count = traffic->total - sent < sizeof chunk ? traffic->total - sent : (unsigned)sizeof chunk;
    anonpipe_op *op;
    size_t written = 0;
    progress();
    for (index = 0; index < count; index++) chunk[index] = (unsigned char)((sent + index) % 251);
    CHECK_EQ(anonpipe_submit_write(traffic->from, chunk, count, &op), 0);
    CHECK_EQ(anonpipe_wait(op, &written), 0);
    CHECK_EQ(written, count);
    anonpipe_op_release(op);
    sent += count;
  }
}

static void receive_numbers(void *argument) {
  struct traffic *traffic = argument;
  unsigned char chunk[1500];
  unsigned received = 0;
  while (received < traffic->total) {
    anonpipe_op *op;
    size_t count = 0, index;
    CHECK_EQ(anonpipe_submit_read(traffic->to, chunk, sizeof chunk, &op), 0);
    if (received % 3 == 0) anonpipe_cancel(op);
    switch (anonpipe_wait(op, &count)) {
      case ANONPIPE_OK: CHECK(count > 0); break;
      case ANONPIPE_E_CANCELLED: CHECK_EQ(count, 0); break;
      default: CHECK(!"a read failed");
    }
    for (index = 0; index < count; index++) CHECK_EQ(chunk[index], (received + index) % 251);
    received += (unsigned)count;
    anonpipe_op_release(op);
    if (count == 0) sleep_ms(0);
  }
}

static void both_ways_at_once(void) {
  struct thread threads[4];
  struct traffic there = {NULL, NULL, 300000}, back = {NULL, NULL, 300000};
  int index;
  open_pair(ANONPIPE_DUPLEX, 0, &there.from, &there.to);
  back.from = there.to;
  back.to = there.from;
  start(&threads[0], send_numbers, &there);
  start(&threads[1], receive_numbers, &there);
  start(&threads[2], send_numbers, &back);
  start(&threads[3], receive_numbers, &back);
  for (index = 0; index < 4; index++) join(&threads[index]);
  anonpipe_end_close(there.from);
  anonpipe_end_close(there.to);
}

static void a_hundred_thousand_operations_leak_nothing(void) {
  anonpipe_end *reader, *writer;
  anonpipe_op *read, *write;
  char in[4];
  long round, before = 0;
  open_pair(ANONPIPE_INBOUND, 0, &reader, &writer);
  for (round = 0; round < 50000; round++) {
    progress();
    if (round == 1000) before = open_handles();
    CHECK_EQ(anonpipe_submit_read(reader, in, 4, &read), 0);
    if (round % 2 == 1) {
      CHECK_EQ(anonpipe_submit_write(writer, "four", 4, &write), 0);
      CHECK_EQ(anonpipe_wait(write, NULL), 0);
      CHECK_EQ(anonpipe_wait(read, NULL), 0);
      anonpipe_op_release(write);
    }
    anonpipe_op_release(read);
  }
  CHECK_EQ(open_handles(), before);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(null_is_refused),
      TEST(several_threads_wait_for_one_operation),
      TEST(taking_a_result_does_not_hold_up_those_who_wait),
      TEST(cancel_all_ends_what_blocks_other_threads),
      TEST(an_operation_outlives_the_thread_that_submitted_it),
      TEST(both_ways_at_once),
      TEST(a_hundred_thousand_operations_leak_nothing),
      TEST(a_program_may_end_with_operations_in_flight),
  };
  return RUN_TESTS(tests, argc, argv);
}
