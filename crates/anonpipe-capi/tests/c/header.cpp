// The header in use by C++.
#include <anonpipe.h>

#include <cstring>

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
  return std::memcmp(buffer, "C++", 3) == 0 ? 0 : 7;
}
