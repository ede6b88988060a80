/* The question's three functions (Windows): what they make, and how they fail. */
#include "question.h"

#include <sddl.h>

/* The declarations are those of the originals. */
static ULONG (*const pair7)(PHANDLE, PHANDLE) = CreatePipeAnonymousPair7;
static BOOL(APIENTRY *const pipe_ex)(LPHANDLE, LPHANDLE, LPSECURITY_ATTRIBUTES, DWORD, DWORD, DWORD) = MyCreatePipeEx;

/* FileModeInformation of a handle says whether it is synchronous. */
typedef LONG WINAPI query_function(HANDLE, void *, void *, ULONG, int);

static int is_synchronous(HANDLE handle) {
  union {
    FARPROC any;
    query_function *query;
  } nt;
  struct {
    void *status;
    ULONG_PTR information;
  } block;
  ULONG mode = 0;
  nt.any = GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtQueryInformationFile");
  CHECK_EQ(nt.query(handle, &block, &mode, sizeof mode, /* FileModeInformation */ 16), 0);
  return (mode & /* FILE_SYNCHRONOUS_IO_ALERT, _NONALERT */ 0x30) != 0;
}

static void the_pairs_are_what_the_question_asks_for(void) {
  int which;
  for (which = 0; which < 2; which++) {
    HANDLE server = NULL, client = NULL;
    WCHAR name[300];
    DWORD flags = 0, out = 0, in = 0;
    CHECK_EQ(make(which, &server, &client), 0);
    CHECK(!is_inheritable(server) && is_inheritable(client));
    CHECK(!is_synchronous(server) && is_synchronous(client));
    CHECK_EQ(name_of(server, name), 0);
    CHECK_EQ(name_of(client, name), 0);
    pass(server, client);
    pass(client, server);
    CHECK(GetNamedPipeInfo(server, &flags, &out, &in, NULL));
    CHECK_EQ(flags & PIPE_SERVER_END, PIPE_SERVER_END);
    CHECK_EQ(out, 65536);
    CHECK_EQ(in, 65536);
    close_handle(server);
    close_handle(client);
  }
  CHECK(pair7 == CreatePipeAnonymousPair7 && pipe_ex == MyCreatePipeEx);
}

static void the_pipe_of_1997_has_a_mode_for_each_end(void) {
  DWORD bits;
  for (bits = 0; bits < 8; bits++) {
    HANDLE read = NULL, write = NULL;
    /* The original passed them on to calls that do not look at the length, so there are programs that leave it 0. */
    SECURITY_ATTRIBUTES attributes = {bits & 1 ? 0 : sizeof attributes, NULL, (bits & 4) != 0};
    DWORD read_mode = bits & 1 ? FILE_FLAG_OVERLAPPED : 0, write_mode = bits & 2 ? FILE_FLAG_OVERLAPPED : 0;
    WCHAR name[300];
    DWORD in = 0, count;
    CHECK(MyCreatePipeEx(&read, &write, &attributes, bits * 1000, read_mode, write_mode));
    CHECK_EQ(is_inheritable(read), attributes.bInheritHandle);
    CHECK_EQ(is_inheritable(write), attributes.bInheritHandle);
    CHECK_EQ(is_synchronous(read), read_mode == 0);
    CHECK_EQ(is_synchronous(write), write_mode == 0);
    CHECK_EQ(name_of(read, name), 0);
    CHECK(GetNamedPipeInfo(read, NULL, NULL, &in, NULL));
    CHECK_EQ(in, bits == 0 ? 4096 : bits * 1000);
    pass(write, read);
    CHECK(!WriteFile(read, "x", 1, &count, NULL));
    CHECK_EQ(GetLastError(), ERROR_ACCESS_DENIED);
    close_handle(read);
    close_handle(write);
  }
}

static void refuse(LPHANDLE read, LPHANDLE write, LPSECURITY_ATTRIBUTES attributes, DWORD mode, DWORD other, DWORD code) {
  long before = open_handles();
  SetLastError(4711);
  CHECK(MyCreatePipeEx(read, write, attributes, 0, mode, other) == FALSE);
  CHECK_EQ(GetLastError(), code);
  CHECK_EQ(open_handles(), before);
}

static void bad_input_is_refused_and_nothing_written(void) {
  HANDLE first = UNTOUCHED, second = UNTOUCHED;
  unsigned char nonsense[64];
  SECURITY_ATTRIBUTES attributes = {sizeof attributes, nonsense, FALSE};
  int which;
  memset(nonsense, 0xee, sizeof nonsense);
  for (which = 0; which < 3; which++) {
    CHECK_EQ(make(which, NULL, &second), ERROR_INVALID_PARAMETER);
    CHECK_EQ(make(which, &first, NULL), ERROR_INVALID_PARAMETER);
    CHECK_EQ(make(which, NULL, NULL), ERROR_INVALID_PARAMETER);
    CHECK_EQ(make(which, &first, &first), ERROR_INVALID_PARAMETER);
  }
  refuse(&first, &second, NULL, 1, 0, ERROR_INVALID_PARAMETER);
  refuse(&first, &second, NULL, 0, FILE_FLAG_OVERLAPPED | FILE_FLAG_WRITE_THROUGH, ERROR_INVALID_PARAMETER);
  refuse(&first, &second, NULL, FILE_FLAG_WRITE_THROUGH, 0, ERROR_INVALID_PARAMETER);
  refuse(&first, &second, &attributes, 0, 0, ERROR_INVALID_SECURITY_DESCR);
  attributes.lpSecurityDescriptor = NULL;
  attributes.nLength = sizeof attributes - 1;
  refuse(&first, &second, &attributes, 0, 0, ERROR_INVALID_PARAMETER);
  attributes.nLength = sizeof attributes + 1;
  refuse(&first, &second, &attributes, 0, 0, ERROR_INVALID_PARAMETER);
  CHECK(first == UNTOUCHED && second == UNTOUCHED);
}

/* As the system's own function has it, which is what programs were written against. */
static void attributes_without_a_length_are_taken(void) {
  SECURITY_ATTRIBUTES attributes = {0, NULL, TRUE};
  SECURITY_DESCRIPTOR everyone;
  int descriptor;
  CHECK(InitializeSecurityDescriptor(&everyone, SECURITY_DESCRIPTOR_REVISION));
  CHECK(SetSecurityDescriptorDacl(&everyone, TRUE, NULL, FALSE));
  for (descriptor = 0; descriptor < 2; descriptor++) {
    HANDLE read, write;
    attributes.lpSecurityDescriptor = descriptor ? &everyone : NULL;
    CHECK(CreatePipe(&read, &write, &attributes, 0));
    CHECK(is_inheritable(read) && is_inheritable(write));
    close_handle(read);
    close_handle(write);
    CHECK(MyCreatePipeEx(&read, &write, &attributes, 0, FILE_FLAG_OVERLAPPED, 0));
    CHECK(is_inheritable(read) && is_inheritable(write));
    pass(write, read);
    close_handle(read);
    close_handle(write);
  }
}

static void a_huge_size_succeeds_or_fails_cleanly(void) {
  HANDLE read = UNTOUCHED, write = UNTOUCHED;
  DWORD in = 0;
  if (MyCreatePipeEx(&read, &write, NULL, 0xffffffff, 0, 0)) {
    CHECK(GetNamedPipeInfo(read, NULL, NULL, &in, NULL));
    CHECK_EQ(in, 0xffffffff);
    close_handle(read);
    close_handle(write);
  } else {
    CHECK(GetLastError() != 0);
    CHECK(read == UNTOUCHED && write == UNTOUCHED);
  }
}

/* Whether the descriptor of a pipe's end admits everyone to everything, and has no other entry. */
static void check_descriptor(HANDLE handle) {
  unsigned char buffer[1024];
  DWORD size;
  LPSTR text = NULL;
  CHECK(GetKernelObjectSecurity(handle, DACL_SECURITY_INFORMATION, buffer, sizeof buffer, &size));
  CHECK(ConvertSecurityDescriptorToStringSecurityDescriptorA(buffer, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text,
                                                             NULL));
  CHECK(strstr(text, ";;;WD)") != NULL && strchr(text, '(') == strrchr(text, '('));
  LocalFree(text);
}

static void a_descriptor_holds_for_both_ends(void) {
  PSECURITY_DESCRIPTOR relative = NULL;
  SECURITY_DESCRIPTOR absolute;
  PACL acl = NULL;
  BOOL present = FALSE, defaulted = FALSE;
  int form;
  CHECK(ConvertStringSecurityDescriptorToSecurityDescriptorA("D:P(A;;GA;;;WD)", SDDL_REVISION_1, &relative, NULL));
  CHECK(GetSecurityDescriptorDacl(relative, &present, &acl, &defaulted) && present);
  CHECK(InitializeSecurityDescriptor(&absolute, SECURITY_DESCRIPTOR_REVISION));
  CHECK(SetSecurityDescriptorDacl(&absolute, TRUE, acl, FALSE));
  for (form = 0; form < 2; form++) {
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, form ? (void *)&absolute : relative, FALSE};
    HANDLE read, write;
    CHECK(MyCreatePipeEx(&read, &write, &attributes, 0, 0, 0));
    check_descriptor(read);
    check_descriptor(write);
    close_handle(read);
    close_handle(write);
  }
  LocalFree(relative);
}

static void a_hundred_thousand_pairs_leak_nothing(void) {
  long call, before = 0;
  for (call = 0; call < 100000; call++) {
    HANDLE first, second;
    progress();
    if (call == 3) before = open_handles();
    CHECK_EQ(make((int)(call % 3), &first, &second), 0);
    close_handle(first);
    close_handle(second);
  }
  CHECK_EQ(open_handles(), before);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(the_pairs_are_what_the_question_asks_for),
      TEST(the_pipe_of_1997_has_a_mode_for_each_end),
      TEST(bad_input_is_refused_and_nothing_written),
      TEST(attributes_without_a_length_are_taken),
      TEST(a_huge_size_succeeds_or_fails_cleanly),
      TEST(a_descriptor_holds_for_both_ends),
      TEST(a_hundred_thousand_pairs_leak_nothing),
  };
  return RUN_TESTS(tests, argc, argv);
}
