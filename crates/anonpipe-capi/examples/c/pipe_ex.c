/* The function of 1997 in both modes: a read end that is overlapped, and one that blocks. Windows. */
#include <anonpipe.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int failed(const char *action) {
  fprintf(stderr, "cannot %s: error %lu\n", action, GetLastError());
  return 1;
}

static int overlapped_read(void) {
  HANDLE read, write;
  OVERLAPPED overlapped;
  char buffer[100];
  DWORD count;

  if (!MyCreatePipeEx(&read, &write, NULL, /* 4096 bytes */ 0, FILE_FLAG_OVERLAPPED, 0)) return failed("make a pipe");
  memset(&overlapped, 0, sizeof overlapped);
  overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!ReadFile(read, buffer, sizeof buffer, NULL, &overlapped) && GetLastError() != ERROR_IO_PENDING)
    return failed("read");
  puts("overlapped: the read is under way, and this thread goes on");
  if (!WriteFile(write, "written meanwhile", 17, &count, NULL)) return failed("write");
  if (!GetOverlappedResult(read, &overlapped, &count, /* bWait */ TRUE)) return failed("read");
  printf("overlapped: %.*s\n", (int)count, buffer);
  CloseHandle(overlapped.hEvent);
  CloseHandle(read);
  CloseHandle(write);
  return 0;
}

static int synchronous_read(void) {
  HANDLE read, write;
  char buffer[100];
  DWORD count;

  if (!MyCreatePipeEx(&read, &write, NULL, 1024, 0, 0)) return failed("make a pipe");
  if (!WriteFile(write, "as CreatePipe does it", 21, &count, NULL)) return failed("write");
  if (!ReadFile(read, buffer, sizeof buffer, &count, NULL)) return failed("read");
  printf("synchronous: %.*s\n", (int)count, buffer);
  CloseHandle(read);
  CloseHandle(write);
  return 0;
}

int main(void) {
  HANDLE read, write;
  if (overlapped_read() != 0 || synchronous_read() != 0) return 1;
  if (MyCreatePipeEx(&read, &write, NULL, 0, /* no mode at all */ 1, 0)) return 1;
  printf("a mode that does not exist: error %lu\n", GetLastError());
  return 0;
}
