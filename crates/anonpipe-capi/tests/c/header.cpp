// The header in use by C++, under warnings that C does not have: each macro is expanded here.
#include <anonpipe.h>

#include <cstdio>
#include <cstring>

#if ANONPIPE_VERSION_MAJOR == 0 && ANONPIPE_VERSION_MINOR < 1
#error "this is for version 0.1 and later"
#endif

// What the preprocessor and constant expressions can do with them.
static_assert(ANONPIPE_INBOUND == 0 && ANONPIPE_OUTBOUND == 1 && ANONPIPE_DUPLEX == 2, "the directions");
static_assert(ANONPIPE_OVERLAPPED == 0 && ANONPIPE_BLOCKING == 1, "the modes");
static_assert(ANONPIPE_CREATION_AUTO == 0 && ANONPIPE_CREATION_UNNAMED == 1 && ANONPIPE_CREATION_NAMED == 2, "the ways");
static_assert(ANONPIPE_UNKNOWN == SIZE_MAX, "as large as a number of bytes can be");

static bool version_is_the_headers() {
  char text[40];
  std::snprintf(text, sizeof text, "%d.%d.%d", ANONPIPE_VERSION_MAJOR, ANONPIPE_VERSION_MINOR, ANONPIPE_VERSION_PATCH);
  return std::strcmp(text, anonpipe_version()) == 0;
}

static int defaults_are_zero() {
  const anonpipe_options options = ANONPIPE_OPTIONS_INIT;
  anonpipe_options zero = anonpipe_options();
  zero.size = sizeof zero;
  return std::memcmp(&options, &zero, sizeof zero);
}

int main() {
  anonpipe_options options = ANONPIPE_OPTIONS_INIT;
  anonpipe_handle ours, theirs;
  anonpipe_end *reader = NULL, *writer = NULL;
  anonpipe_op *op = NULL;
  char buffer[16];
  size_t count = 0, index = 1;
  options.direction = ANONPIPE_DUPLEX;
  if (anonpipe_pair(&options, &ours, &theirs) != ANONPIPE_OK) return 1;
  if (anonpipe_end_open(ours, &reader) || anonpipe_end_open(theirs, &writer)) return 2;
  if (anonpipe_submit_read(reader, buffer, sizeof buffer, &op)) return 3;
  if (anonpipe_wait_any(&op, 1, 10, &index) != ANONPIPE_E_PENDING) return 4;
  if (anonpipe_write(writer, "C++", 3, ANONPIPE_INFINITE, &count) || count != 3) return 5;
  if (anonpipe_wait(op, &count) || count != 3 || count == ANONPIPE_UNKNOWN) return 6;
  anonpipe_op_release(op);
  anonpipe_end_close(reader);
  anonpipe_end_close(writer);
  if (std::memcmp(buffer, "C++", 3) != 0) return 7;
  if (!version_is_the_headers()) return 8;
  return defaults_are_zero() == 0 ? 0 : 9;
}
