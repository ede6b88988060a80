/* Builds unchanged on Windows and Unix: several operations in flight, one thread that waits for whichever is first. */
#include <anonpipe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPES 3

static void check(int code, const char *action) {
  char text[200];
  if (code == ANONPIPE_OK) return;
  anonpipe_last_error_text(text, sizeof text);
  fprintf(stderr, "%s: %s\n", action, text);
  exit(1);
}

int main(void) {
  static const char *const words[PIPES] = {"one", "two", "three"};
  anonpipe_end *readers[PIPES], *writers[PIPES];
  anonpipe_op *reads[PIPES];
  char buffers[PIPES][64];
  size_t index, count, left;

  /* Each pipe with a read in flight, which costs no thread. The buffers are ours, and the operations' until they end. */
  for (index = 0; index < PIPES; index++) {
    anonpipe_options options = ANONPIPE_OPTIONS_INIT; /* inbound: the server reads; both ends overlapped and private */
    anonpipe_handle server, client;
    check(anonpipe_pair(&options, &server, &client), "make a pair");
    check(anonpipe_end_open(server, &readers[index]), "open the reader");
    check(anonpipe_end_open(client, &writers[index]), "open the writer");
    check(anonpipe_submit_read(readers[index], buffers[index], sizeof buffers[index], &reads[index]), "read");
  }
  if (anonpipe_wait_any(reads, PIPES, 50, &index) == ANONPIPE_E_PENDING) puts("all quiet");

  /* The pipe that is written to is served first. */
  for (left = PIPES; left > 1; left--) {
    check(anonpipe_write(writers[left - 1], words[left - 1], strlen(words[left - 1]), ANONPIPE_INFINITE, &count), "write");
    check(anonpipe_wait_any(reads, PIPES, ANONPIPE_INFINITE, &index), "wait");
    check(anonpipe_wait(reads[index], &count), "read");
    printf("pipe %u: %.*s\n", (unsigned)index, (int)count, buffers[index]);
    anonpipe_op_release(reads[index]);
    reads[index] = NULL; /* null entries are passed over */
  }

  /* The first pipe stays quiet. A cancelled read has consumed nothing. */
  check(anonpipe_cancel(reads[0]), "cancel");
  if (anonpipe_wait(reads[0], NULL) == ANONPIPE_E_CANCELLED) puts("pipe 0: cancelled");
  anonpipe_op_release(reads[0]);

  /* The end of file is success with 0 bytes. */
  for (index = 0; index < PIPES; index++) {
    anonpipe_end_close(writers[index]);
    check(anonpipe_read(readers[index], buffers[index], sizeof buffers[index], ANONPIPE_INFINITE, &count), "read");
    printf("pipe %u: %s\n", (unsigned)index, count == 0 ? "end of file" : "more");
    anonpipe_end_close(readers[index]);
  }
  return 0;
}
