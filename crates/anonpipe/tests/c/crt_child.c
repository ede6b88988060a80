/* A child on the C runtime, for the tests: what it does is its first argument. It knows nothing of anonpipe. */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* Text in, text out: the sum of the numbers on stdin, until something else or the end of file. */
static int sum(void) {
  long long total = 0, number;
  while (scanf("%lld", &number) == 1) total += number;
  printf("sum %lld\n", total);
  return 0;
}

/* Bytes in, bytes out, through the runtime's own buffers. */
static int copy(void) {
  static char buffer[10000];
  size_t count;
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
  while ((count = fread(buffer, 1, sizeof buffer, stdin)) > 0)
    if (fwrite(buffer, 1, count, stdout) != count) return 1;
  return ferror(stdin) ? 2 : fflush(stdout);
}

/* Answers every line at once. */
static int converse(void) {
  char line[200];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\r\n")] = 0;
    printf("you said %s\n", line);
    if (fflush(stdout)) return 1;
  }
  return 0;
}

/* What a program can ask of its standard handles, and what it may change. */
static int probe(void) {
  HANDLE in = GetStdHandle(STD_INPUT_HANDLE), out = GetStdHandle(STD_OUTPUT_HANDLE);
  DWORD available = 0, state = 0, flags = 0, mode = PIPE_READMODE_BYTE | PIPE_WAIT;
  printf("types %lu %lu\n", GetFileType(in), GetFileType(out));
  printf("peek %d\n", PeekNamedPipe(in, NULL, 0, NULL, &available, NULL));
  printf("available %lu\n", available);
  printf("state %d %d\n", GetNamedPipeHandleStateA(in, &state, NULL, NULL, NULL, NULL, 0),
         GetNamedPipeHandleStateA(out, &state, NULL, NULL, NULL, NULL, 0));
  printf("info %d %d\n", GetNamedPipeInfo(in, &flags, NULL, NULL, NULL), GetNamedPipeInfo(out, &flags, NULL, NULL, NULL));
  printf("set %d %d\n", SetNamedPipeHandleState(in, &mode, NULL, NULL), SetNamedPipeHandleState(out, &mode, NULL, NULL));
  return 0;
}

/* Whether calls on a handle wait: it is not overlapped, and does not have PIPE_NOWAIT. */
static const char *waits(HANDLE handle) {
  typedef LONG(NTAPI * query_file)(HANDLE, void *, void *, ULONG, int);
  const ULONG synchronous = 0x10 | 0x20; /* FILE_SYNCHRONOUS_IO_ALERT, _NONALERT */
  query_file query = (query_file)(void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtQueryInformationFile");
  void *block[2];
  ULONG mode = 0;
  DWORD state = PIPE_NOWAIT;
  if (!query || query(handle, block, &mode, sizeof mode, 16 /* FileModeInformation */) < 0) return "cannot be asked";
  if (!GetNamedPipeHandleStateA(handle, &state, NULL, NULL, NULL, NULL, 0)) return "is no pipe";
  return (mode & synchronous) && !(state & PIPE_NOWAIT) ? "waits" : "does not wait";
}

/* Waits for a line, and says of its standard input and output whether they wait. */
static int modes(void) {
  char line[200];
  if (!fgets(line, sizeof line, stdin)) return 1;
  printf("stdin %s\n", waits(GetStdHandle(STD_INPUT_HANDLE)));
  printf("stdout %s\n", waits(GetStdHandle(STD_OUTPUT_HANDLE)));
  return fflush(stdout);
}

/* Writes a word to a handle that it was told the number of. */
static int report(const char *number, const char *word) {
  HANDLE handle = (HANDLE)(UINT_PTR)strtoull(number, NULL, 10);
  DWORD written = 0;
  return WriteFile(handle, word, (DWORD)strlen(word), &written, NULL) ? 0 : (int)GetLastError();
}

int main(int argc, char **argv) {
  const char *task = argc > 1 ? argv[1] : "";
  if (!strcmp(task, "sum")) return sum();
  if (!strcmp(task, "copy")) return copy();
  if (!strcmp(task, "converse")) return converse();
  if (!strcmp(task, "probe")) return probe();
  if (!strcmp(task, "modes")) return modes();
  if (!strcmp(task, "report") && argc == 4) return report(argv[2], argv[3]);
  fprintf(stderr, "usage: crt_child sum|copy|converse|probe|modes|report HANDLE WORD\n");
  return 99;
}
