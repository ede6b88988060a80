/* The question's use: a child whose standard handles are the client end of a pair, while this side does overlapped I/O.
 *
 * Windows. The child is cmd.exe, or the command line that is given. */
#include <anonpipe.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int failed(const char *action, DWORD code) {
  fprintf(stderr, "cannot %s: error %lu\n", action, code);
  return 1;
}

int main(int argc, char **argv) {
  HANDLE server, client;
  STARTUPINFOA startup;
  PROCESS_INFORMATION child;
  OVERLAPPED overlapped;
  char command[1000] = "cmd.exe /c echo hello from the child", buffer[4096];
  DWORD count, code;

  if (argc > 1) snprintf(command, sizeof command, "%s", argv[1]);

  /* Ours is overlapped and private, the child's synchronous and inheritable; both read and write. */
  code = CreatePipeAnonymousPair7(&server, &client);
  if (code != ERROR_SUCCESS) return failed("make a pair", code);

  memset(&startup, 0, sizeof startup);
  startup.cb = sizeof startup;
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = startup.hStdOutput = startup.hStdError = client;
  if (!CreateProcessA(NULL, command, NULL, NULL, /* bInheritHandles */ TRUE, 0, NULL, NULL, &startup, &child))
    return failed("start the child", GetLastError());
  CloseHandle(client); /* The child has it now. Ours would hide the end of file. */
  CloseHandle(child.hThread);

  memset(&overlapped, 0, sizeof overlapped);
  overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (overlapped.hEvent == NULL) return failed("make an event", GetLastError());
  for (;;) {
    if (!ReadFile(server, buffer, sizeof buffer, NULL, &overlapped) && GetLastError() != ERROR_IO_PENDING) break;
    while (WaitForSingleObject(overlapped.hEvent, 1000) == WAIT_TIMEOUT) puts("(still quiet, and no thread blocked on it)");
    if (!GetOverlappedResult(server, &overlapped, &count, FALSE)) break;
    fwrite(buffer, 1, count, stdout);
  }
  code = GetLastError();
  if (code != ERROR_BROKEN_PIPE) return failed("read", code); /* which is the end of file */

  WaitForSingleObject(child.hProcess, INFINITE);
  GetExitCodeProcess(child.hProcess, &code);
  printf("the child has ended with exit code %lu\n", code);
  CloseHandle(child.hProcess);
  CloseHandle(overlapped.hEvent);
  CloseHandle(server);
  return 0;
}
