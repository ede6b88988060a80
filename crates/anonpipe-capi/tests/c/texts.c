/* Texts: what codes mean, and why the last call failed. */
#include "check.h"

static void every_code_has_a_text(void) {
  char text[100], other[100];
  int code;
  size_t length;
  for (code = ANONPIPE_OK; code >= ANONPIPE_E_INTERNAL; code--) {
    length = anonpipe_strerror(code, text, sizeof text);
    CHECK(length > 0 && length < sizeof text);
    CHECK_EQ(strlen(text), length);
    CHECK(strstr(text, "no code of anonpipe") == NULL);
  }
  length = anonpipe_strerror(-12, text, sizeof text);
  CHECK_EQ(strlen(text), length);
  CHECK(strstr(text, "-12") != NULL);
  CHECK(anonpipe_strerror(2, text, sizeof text) > 0); /* the system's: ENOENT, ERROR_FILE_NOT_FOUND */
  CHECK_EQ(anonpipe_strerror(ANONPIPE_E_TIMED_OUT, NULL, 0), strlen("the time was up"));
  memset(other, 'x', sizeof other);
  CHECK_EQ(anonpipe_strerror(ANONPIPE_E_TIMED_OUT, other, 0), strlen("the time was up"));
  CHECK_EQ(other[0], 'x');
  CHECK_EQ(anonpipe_strerror(ANONPIPE_E_TIMED_OUT, other, 4), strlen("the time was up"));
  CHECK(strcmp(other, "the") == 0);
  CHECK_EQ(other[4], 'x');
  CHECK(strncmp(anonpipe_version(), "0.", 2) == 0);
}

static void other_thread(void *text) { anonpipe_last_error_text(text, 100); }

static void the_last_failure_is_told_in_a_sentence(void) {
  anonpipe_end *reader, *writer;
  struct thread thread;
  char text[200] = "x", others[100] = "x";
  CHECK_EQ(anonpipe_last_error_text(text, sizeof text), 0);
  CHECK_EQ(text[0], 0);
  open_pair(ANONPIPE_INBOUND, 0, &reader, &writer);
  anonpipe_end_close(reader);
  CHECK_EQ(anonpipe_write(writer, "x", 1, LONG_MS, NULL), ANONPIPE_E_BROKEN_PIPE);
  anonpipe_last_error_text(text, sizeof text);
  CHECK(strstr(text, "cannot write") != NULL && strstr(text, "stop writing") != NULL);
  start(&thread, other_thread, others);
  join(&thread);
  CHECK_EQ(others[0], 0);
  anonpipe_end_close(writer);
}

static void check_last_text(const char *expected) {
  char text[300];
  anonpipe_last_error_text(text, sizeof text);
  /* Rust's words for a code, and for an end that it did not make. */
  if (strstr(text, "os error") != NULL || strstr(text, "adopt") != NULL || strstr(text, expected) == NULL) {
    printf("expected '%s' and nothing of Rust's\n", expected);
    check_failed(__FILE__, __LINE__, "the text");
  }
}

#ifdef _WIN32
#define CLIENT "the client end of an inbound pipe"
#define SERVER "the server end of an inbound pipe"
#define DUPLEX "the server end of a duplex pipe"
#else /* where no descriptor knows which end of its pair it is */
#define CLIENT "the write end of a pipe"
#define SERVER "the read end of a pipe"
#define DUPLEX "an end of a duplex pipe"
#endif

static void texts_are_for_c(void) {
  anonpipe_end *reader, *writer, *end = NULL;
  anonpipe_handle handle;
  anonpipe_op *op;
  char byte;
  size_t count;
  open_pair(ANONPIPE_INBOUND, 0, &reader, &writer);
  CHECK_EQ(anonpipe_read(reader, &byte, 1, 1, NULL), ANONPIPE_E_TIMED_OUT);
  check_last_text("cannot read from " SERVER ": the time was up");
  CHECK_EQ(anonpipe_submit_read(reader, &byte, 1, &op), 0);
  CHECK_EQ(anonpipe_end_into_handle(reader, &handle), ANONPIPE_E_BUSY);
  check_last_text("cannot take the handle out of " SERVER ": operations are in flight");
  CHECK_EQ(anonpipe_cancel(op), 0);
  CHECK_EQ(anonpipe_wait(op, NULL), ANONPIPE_E_CANCELLED);
  check_last_text("cannot read from " SERVER ": it was cancelled");
  anonpipe_op_release(op);
  anonpipe_end_close(reader);
  CHECK_EQ(anonpipe_write(writer, "x", 1, ANONPIPE_INFINITE, NULL), ANONPIPE_E_BROKEN_PIPE);
  check_last_text("cannot write to " CLIENT ": ");
  CHECK_EQ(anonpipe_submit_write(writer, "x", 1, &op), 0);
  CHECK_EQ(anonpipe_wait(op, NULL), ANONPIPE_E_BROKEN_PIPE);
  check_last_text("cannot write to " CLIENT ": ");
  anonpipe_op_release(op);
  anonpipe_end_close(writer);
  open_pair(ANONPIPE_DUPLEX, 0, &reader, &writer);
  CHECK_EQ(anonpipe_read(reader, &byte, 1, 1, NULL), ANONPIPE_E_TIMED_OUT);
  check_last_text("cannot read from " DUPLEX ": the time was up");
#ifdef _WIN32
  (void)count;
  CHECK_EQ(anonpipe_shutdown_write(reader), ANONPIPE_E_UNSUPPORTED);
  check_last_text(DUPLEX);
  handle = CreateEventW(NULL, TRUE, FALSE, NULL);
#else
  CHECK_EQ(anonpipe_bytes_available(reader, &count), 0);
  handle = open("/dev/null", O_RDWR);
#endif
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
  CHECK_EQ(anonpipe_end_open(handle, &end), ANONPIPE_E_INVALID_ARGUMENT);
  check_last_text("cannot open the handle as an end: ");
  close_handle(handle);
  CHECK(anonpipe_end_open(handle, &end) != 0);
  check_last_text("cannot open the handle as an end: ");
  CHECK(end == NULL);
}

/* A code of the system's has the system's text, and no number in it. */
static void the_systems_codes_have_the_systems_texts(void) {
  char text[300];
  int code;
  for (code = 1; code <= 140; code++) {
    size_t length = anonpipe_strerror(code, text, sizeof text);
    CHECK(length > 0 && length < sizeof text);
    CHECK(strstr(text, "os error") == NULL && strstr(text, "FormatMessage") == NULL);
#ifndef _WIN32
    CHECK(strcmp(text, strerror(code)) == 0);
#endif
  }
  CHECK(anonpipe_strerror(1234567, text, sizeof text) > 0);
  CHECK(strstr(text, "1234567") != NULL && strstr(text, "FormatMessage") == NULL);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(the_last_failure_is_told_in_a_sentence), /* the first: no call has failed yet */
      TEST(every_code_has_a_text),
      TEST(texts_are_for_c),
      TEST(the_systems_codes_have_the_systems_texts),
  };
  return RUN_TESTS(tests, argc, argv);
}
