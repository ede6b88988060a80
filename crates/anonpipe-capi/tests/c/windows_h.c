/* The header beside Windows' own, before them or after them, as C and as C++: it needs none of them, and its types are
 * theirs. */
#ifdef ANONPIPE_FIRST
#include <anonpipe.h>
#if defined _WINDOWS_ || defined _INC_WINDOWS || defined _WINSOCKAPI_ || defined _MINWINDEF_
#error "anonpipe.h includes a header of Windows', which breaks winsock2.h and what includes it after it"
#endif
#endif
#include <winsock2.h>
#include <windows.h>
#ifndef ANONPIPE_FIRST
#include <anonpipe.h>
#endif

/* The originals' declarations: an error where they differ from the header's. */
#ifdef __cplusplus
extern "C" {
#endif
ULONG CreatePipeAnonymousPair7(PHANDLE phServerPipe, PHANDLE phClientPipe);
ULONG CreatePipeAnonymousPair(PHANDLE phServerPipe, PHANDLE phClientPipe);
BOOL APIENTRY MyCreatePipeEx(LPHANDLE lpReadPipe, LPHANDLE lpWritePipe, LPSECURITY_ATTRIBUTES lpPipeAttributes, DWORD nSize,
                             DWORD dwReadMode, DWORD dwWriteMode);
#ifdef __cplusplus
}
#endif

int main(void) {
  SOCKET none = INVALID_SOCKET; /* of winsock2.h */
  SECURITY_ATTRIBUTES attributes = {sizeof attributes, NULL, FALSE};
  HANDLE first = NULL, second = NULL;
  anonpipe_end *end = NULL;
  if (CreatePipeAnonymousPair7(&first, &second) != ERROR_SUCCESS) return 1;
  if (anonpipe_end_open(first, &end) != ANONPIPE_OK) return 2;
  anonpipe_end_close(end);
  CloseHandle(second);
  if (!MyCreatePipeEx(&first, &second, &attributes, 0, FILE_FLAG_OVERLAPPED, 0)) return 3;
  CloseHandle(first);
  CloseHandle(second);
  return none == INVALID_SOCKET ? 0 : 4;
}
