/* What the tests of the question's functions share. */
#ifndef QUESTION_H
#define QUESTION_H

#include "check.h"

#define UNTOUCHED ((HANDLE)(uintptr_t)0x5a5a)

/* Makes a pair with one of the three functions: 0 and 1 the pairs, 2 the one of 1997. */
static inline ULONG make(int which, HANDLE *first, HANDLE *second) {
  if (which < 2) return which ? CreatePipeAnonymousPair(first, second) : CreatePipeAnonymousPair7(first, second);
  return MyCreatePipeEx(first, second, NULL, 0, FILE_FLAG_OVERLAPPED, 0) ? 0 : GetLastError();
}

/* The length of a pipe's name in characters, and the name. */
static inline DWORD name_of(HANDLE handle, WCHAR *name) {
  struct {
    FILE_NAME_INFO info;
    WCHAR room[260];
  } buffer;
  memset(&buffer, 0, sizeof buffer);
  if (!GetFileInformationByHandleEx(handle, FileNameInfo, &buffer, sizeof buffer)) return 0;
  memcpy(name, buffer.info.FileName, buffer.info.FileNameLength);
  return buffer.info.FileNameLength > 2 ? buffer.info.FileNameLength / (DWORD)sizeof(WCHAR) : 0;
}

static inline void pass(HANDLE from, HANDLE to) {
  OVERLAPPED overlapped;
  char buffer[8] = "";
  DWORD count = 0;
  memset(&overlapped, 0, sizeof overlapped);
  overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
  CHECK(WriteFile(from, "1234", 4, &count, &overlapped) || GetLastError() == ERROR_IO_PENDING);
  CHECK(GetOverlappedResult(from, &overlapped, &count, TRUE));
  CHECK_EQ(count, 4);
  CHECK(ReadFile(to, buffer, sizeof buffer, &count, &overlapped) || GetLastError() == ERROR_IO_PENDING);
  CHECK(GetOverlappedResult(to, &overlapped, &count, TRUE));
  CHECK_EQ(count, 4);
  CHECK(memcmp(buffer, "1234", 4) == 0);
  close_handle(overlapped.hEvent);
}

#endif
