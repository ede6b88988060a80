/* anonpipe_pair: every kind of pair, and every way to ask for one that does not exist. */
#include "check.h"

/* What an output must still hold after a failure. */
#ifdef _WIN32
#define UNTOUCHED ((anonpipe_handle)(uintptr_t)0x5a5a)
#else
#define UNTOUCHED 0x5a5a
#endif

static void refuse(const anonpipe_options *options, int code) {
  anonpipe_handle server = UNTOUCHED, client = UNTOUCHED;
  long before = open_handles();
  CHECK_EQ(anonpipe_pair(options, &server, &client), code);
  CHECK(server == UNTOUCHED && client == UNTOUCHED);
  CHECK_EQ(open_handles(), before);
}

static void carry(anonpipe_end *from, anonpipe_end *to) {
  char buffer[16] = "";
  size_t count = 0;
  CHECK_EQ(anonpipe_write(from, "hello", 5, LONG_MS, &count), 0);
  CHECK_EQ(count, 5);
  CHECK_EQ(anonpipe_read(to, buffer, sizeof buffer, LONG_MS, &count), 0);
  CHECK_EQ(count, 5);
  CHECK(memcmp(buffer, "hello", 5) == 0);
}

static void no_options_mean_inbound_overlapped_private(void) {
  anonpipe_handle server, client;
  anonpipe_end *reader, *writer;
  CHECK_EQ(anonpipe_pair(NULL, &server, &client), 0);
  CHECK(!is_inheritable(server) && !is_inheritable(client));
  CHECK_EQ(anonpipe_end_open(server, &reader), 0);
  CHECK_EQ(anonpipe_end_open(client, &writer), 0);
  carry(writer, reader);
  CHECK_EQ(anonpipe_write(reader, "x", 1, 0, NULL), ANONPIPE_E_WRONG_DIRECTION);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

static void directions_are_the_servers(void) {
  anonpipe_end *server, *client;
  open_pair(ANONPIPE_OUTBOUND, 0, &server, &client);
  carry(server, client);
  anonpipe_end_close(server);
  anonpipe_end_close(client);
  open_pair(ANONPIPE_DUPLEX, 0, &server, &client);
  carry(server, client);
  carry(client, server);
  anonpipe_end_close(server);
  anonpipe_end_close(client);
}

/* Opens a handle that was made with that mode. */
static void check_mode(anonpipe_handle handle, uint32_t mode) {
  anonpipe_end *end = NULL;
  if (mode == ANONPIPE_OVERLAPPED) {
    CHECK_EQ(anonpipe_end_open(handle, &end), 0);
    anonpipe_end_close(end);
  } else {
    CHECK_EQ(anonpipe_end_open(handle, &end), ANONPIPE_E_WRONG_MODE);
    CHECK(end == NULL);
    close_handle(handle);
  }
}

static void every_combination_is_as_asked(void) {
  uint32_t bits;
  long before = open_handles();
  for (bits = 0; bits < 3 * 16; bits++) {
    anonpipe_options options = ANONPIPE_OPTIONS_INIT;
    anonpipe_handle server, client;
    options.direction = bits / 16;
    options.server_mode = bits & 1;
    options.client_mode = bits >> 1 & 1;
    options.server_inheritable = bits >> 2 & 1;
    options.client_inheritable = bits >> 3 & 1;
    CHECK_EQ(anonpipe_pair(&options, &server, &client), 0);
    CHECK_EQ(is_inheritable(server), options.server_inheritable);
    CHECK_EQ(is_inheritable(client), options.client_inheritable);
    check_mode(server, options.server_mode);
    check_mode(client, options.client_mode);
  }
  /* The first pair on Windows opens npfs once, which stays. */
  CHECK(open_handles() <= before + 1);
}

static void the_capacity_is_kept(void) {
  static char buffer[20000];
  anonpipe_end *reader, *writer;
  anonpipe_op *op;
  size_t count;
  open_pair(ANONPIPE_INBOUND, 16384, &reader, &writer);
  CHECK_EQ(anonpipe_submit_write(writer, buffer, 16384, &op), 0);
  CHECK_EQ(anonpipe_wait_timeout(op, LONG_MS, &count), 0);
  CHECK_EQ(count, 16384);
  anonpipe_op_release(op);
  CHECK_EQ(anonpipe_submit_write(writer, buffer, sizeof buffer, &op), 0);
  CHECK_EQ(anonpipe_wait_timeout(op, 50, &count), ANONPIPE_E_PENDING);
  anonpipe_op_release(op);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

static void bad_values_are_refused(void) {
  const anonpipe_options good = ANONPIPE_OPTIONS_INIT;
  anonpipe_options bad;
  anonpipe_handle handle, other;
  long before;
  CHECK_EQ(anonpipe_pair(NULL, &handle, &other), 0); /* on Windows npfs is open now, and stays */
  close_handle(handle);
  close_handle(other);
  before = open_handles();
#define REFUSE(field, value) (bad = good, bad.field = (value), refuse(&bad, ANONPIPE_E_INVALID_ARGUMENT))
  REFUSE(size, 0);
  REFUSE(size, sizeof(anonpipe_options) - 1);
  REFUSE(size, UINT32_MAX);
  REFUSE(direction, 3);
  REFUSE(server_mode, 2);
  REFUSE(client_mode, UINT32_MAX);
  REFUSE(server_inheritable, 2);
  REFUSE(client_inheritable, 2);
  REFUSE(creation, 3);
  REFUSE(reserved, 1);
  REFUSE(capacity, UINT64_MAX);
  handle = UNTOUCHED;
  CHECK_EQ(anonpipe_pair(&good, NULL, &handle), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_pair(&good, &handle, NULL), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_pair(&good, &handle, &handle), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK(handle == UNTOUCHED);
  CHECK_EQ(open_handles(), before);
}

static void newer_options_work_unless_something_unknown_is_asked(void) {
  struct {
    anonpipe_options known;
    uint64_t unknown;
  } newer = {ANONPIPE_OPTIONS_INIT, 0};
  anonpipe_handle server, client;
  newer.known.size = sizeof newer;
  CHECK_EQ(anonpipe_pair(&newer.known, &server, &client), 0);
  close_handle(server);
  close_handle(client);
  newer.unknown = 1;
  refuse(&newer.known, ANONPIPE_E_UNSUPPORTED);
}

static void windows_own_options(void) {
  anonpipe_options options = ANONPIPE_OPTIONS_INIT;
#ifdef _WIN32
  uint32_t creation;
  anonpipe_handle server, client;
  for (creation = ANONPIPE_CREATION_AUTO; creation <= ANONPIPE_CREATION_NAMED; creation++) {
    struct {
      FILE_NAME_INFO info;
      WCHAR room[260];
    } name;
    BOOL named;
    options.creation = creation;
    options.sddl = creation == ANONPIPE_CREATION_AUTO ? NULL : "D:P(A;;GA;;;WD)";
    CHECK_EQ(anonpipe_pair(&options, &server, &client), 0);
    memset(&name, 0, sizeof name);
    named = GetFileInformationByHandleEx(server, FileNameInfo, &name, sizeof name) && name.info.FileNameLength > 2;
    CHECK_EQ(named, creation == ANONPIPE_CREATION_NAMED);
    close_handle(server);
    close_handle(client);
  }
  options.sddl = "this is no SDDL";
  refuse(&options, ANONPIPE_E_INVALID_ARGUMENT);
  options.sddl = "D:\xff";
  refuse(&options, ANONPIPE_E_INVALID_ARGUMENT);
#else
  options.creation = ANONPIPE_CREATION_NAMED;
  refuse(&options, ANONPIPE_E_UNSUPPORTED);
  options.creation = ANONPIPE_CREATION_AUTO;
  options.sddl = "D:P(A;;GA;;;OW)";
  refuse(&options, ANONPIPE_E_UNSUPPORTED);
#endif
}

static void very_many_calls_leak_nothing(void) {
#ifdef _WIN32
  const long calls = 20000; /* question.c makes a hundred thousand there */
#else
  const long calls = 100000;
#endif
  long call, before = 0;
  for (call = 0; call < calls; call++) {
    anonpipe_options options = ANONPIPE_OPTIONS_INIT;
    anonpipe_handle server, client;
    progress();
    if (call == 1) before = open_handles();
    options.direction = (uint32_t)call % 3;
    options.client_mode = (uint32_t)call & 1;
    CHECK_EQ(anonpipe_pair(&options, &server, &client), 0);
    close_handle(server);
    close_handle(client);
  }
  CHECK_EQ(open_handles(), before);
}

static void ends_only_take_what_fits(void) {
  anonpipe_handle server, client;
  anonpipe_end *end = NULL;
#ifdef _WIN32
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  CHECK_EQ(anonpipe_end_open(NULL, &end), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_end_open(INVALID_HANDLE_VALUE, &end), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_end_open(event, &end), ANONPIPE_E_INVALID_ARGUMENT);
  close_handle(event);
#else
  int file = open("/dev/null", O_RDWR | O_NONBLOCK);
  CHECK_EQ(anonpipe_end_open(-1, &end), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_end_open(file, &end), ANONPIPE_E_INVALID_ARGUMENT);
  close_handle(file); /* still ours */
  CHECK(anonpipe_end_open(file, &end) > 0);
#endif
  CHECK(end == NULL);
  CHECK_EQ(anonpipe_pair(NULL, &server, &client), 0);
  CHECK_EQ(anonpipe_end_open(server, NULL), ANONPIPE_E_INVALID_ARGUMENT);
  close_handle(server);
  close_handle(client);
}

static void the_handle_can_be_taken_out(void) {
  anonpipe_end *reader, *writer;
  anonpipe_handle handle = UNTOUCHED;
  open_pair(ANONPIPE_INBOUND, 0, &reader, &writer);
  carry(writer, reader);
  CHECK_EQ(anonpipe_end_into_handle(reader, NULL), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK_EQ(anonpipe_end_into_handle(NULL, &handle), ANONPIPE_E_INVALID_ARGUMENT);
  CHECK(handle == UNTOUCHED);
  CHECK_EQ(anonpipe_end_into_handle(reader, &handle), 0);
  CHECK_EQ(anonpipe_end_open(handle, &reader), 0);
  carry(writer, reader);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

/* One that nobody else has is bound to the library's port on Windows, and stays with it. */
static void an_exclusive_end_is_bound_by_its_first_operation(void) {
  anonpipe_handle server, client, taken;
  anonpipe_end *reader, *writer;
  anonpipe_op *op;
  char buffer[8];
  size_t count = 0;
  int exclusive, expected;
  for (exclusive = 0; exclusive < 2; exclusive++) {
    CHECK_EQ(anonpipe_pair(NULL, &server, &client), 0);
    CHECK_EQ((exclusive ? anonpipe_end_open_exclusive : anonpipe_end_open)(server, &reader), 0);
    CHECK_EQ(anonpipe_end_open_exclusive(client, &writer), 0);
    CHECK_EQ(anonpipe_submit_read(reader, buffer, sizeof buffer, &op), 0);
    CHECK_EQ(anonpipe_write(writer, "hello", 5, LONG_MS, NULL), 0);
    CHECK_EQ(anonpipe_wait(op, &count), 0);
    anonpipe_op_release(op);
    CHECK_EQ(count, 5);
    expected = 0;
#ifdef _WIN32
    if (exclusive) expected = ANONPIPE_E_UNSUPPORTED;
#endif
    CHECK_EQ(anonpipe_end_into_handle(reader, &taken), expected);
    if (expected) anonpipe_end_close(reader); else close_handle(taken);
    anonpipe_end_close(writer);
  }
  CHECK_EQ(anonpipe_end_open_exclusive((anonpipe_handle)-1, &reader), ANONPIPE_E_INVALID_ARGUMENT);
}

static void half_closing(void) {
  anonpipe_end *reader, *writer;
  char buffer[8];
  size_t count;
  open_pair(ANONPIPE_DUPLEX, 0, &reader, &writer);
  CHECK_EQ(anonpipe_write(writer, "last", 4, LONG_MS, NULL), 0);
#ifdef _WIN32
  CHECK_EQ(anonpipe_shutdown_write(writer), ANONPIPE_E_UNSUPPORTED);
#else
  CHECK_EQ(anonpipe_shutdown_write(writer), 0);
  CHECK_EQ(anonpipe_write(writer, "more", 4, LONG_MS, NULL), ANONPIPE_E_BROKEN_PIPE);
#endif
  CHECK_EQ(anonpipe_read(reader, buffer, sizeof buffer, LONG_MS, &count), 0);
  CHECK_EQ(count, 4);
  CHECK_EQ(anonpipe_write(reader, "back", 4, LONG_MS, NULL), 0);
  CHECK_EQ(anonpipe_read(writer, buffer, sizeof buffer, LONG_MS, &count), 0);
  CHECK_EQ(count, 4);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(no_options_mean_inbound_overlapped_private),
      TEST(directions_are_the_servers),
      TEST(every_combination_is_as_asked),
      TEST(the_capacity_is_kept),
      TEST(bad_values_are_refused),
      TEST(newer_options_work_unless_something_unknown_is_asked),
      TEST(windows_own_options),
      TEST(very_many_calls_leak_nothing),
      TEST(ends_only_take_what_fits),
      TEST(the_handle_can_be_taken_out),
      TEST(an_exclusive_end_is_bound_by_its_first_operation),
      TEST(half_closing),
  };
  return RUN_TESTS(tests, argc, argv);
}
