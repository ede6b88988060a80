/* The question's functions where something goes wrong below them, and their names where they need one (Windows). */
#include "question.h"

/* Makes NtCreateNamedPipeFile or NtOpenFile fail: it returns that status, and does nothing else. */
struct fault {
  unsigned char *code, saved[8];
};

static struct fault break_nt(const char *name, unsigned long status) {
  struct fault fault;
  DWORD protection;
#ifdef _WIN64
  unsigned char patch[8] = {0xb8 /* mov eax, status */, 0, 0, 0, 0, 0xc3 /* ret */, 0x90, 0x90};
#else /* where the function takes its arguments off the stack */
  unsigned char arguments = strcmp(name, "NtOpenFile") == 0 ? 6 : 14;
  unsigned char patch[8] = {0xb8 /* mov eax, status */, 0, 0, 0, 0, 0xc2 /* ret */, 0, 0};
  patch[6] = (unsigned char)(4 * arguments);
#endif
  union {
    FARPROC function;
    unsigned char *code;
  } found;
  found.function = GetProcAddress(GetModuleHandleA("ntdll.dll"), name);
  CHECK(found.function != NULL);
  fault.code = found.code;
  memcpy(patch + 1, &status, 4);
  CHECK(VirtualProtect(fault.code, sizeof patch, PAGE_EXECUTE_READWRITE, &protection));
  memcpy(fault.saved, fault.code, sizeof patch);
  memcpy(fault.code, patch, sizeof patch);
  FlushInstructionCache(GetCurrentProcess(), fault.code, sizeof patch);
  return fault;
}

static void mend_nt(struct fault fault) {
  memcpy(fault.code, fault.saved, sizeof fault.saved);
  FlushInstructionCache(GetCurrentProcess(), fault.code, sizeof fault.saved);
}

static void failures_keep_their_code_and_leak_nothing(void) {
  static const struct {
    const char *function; /* the first call of a pair, and the second */
    unsigned long status;
    DWORD code;
  } faults[] = {
      {"NtCreateNamedPipeFile", 0xC000009A /* STATUS_INSUFFICIENT_RESOURCES */, ERROR_NO_SYSTEM_RESOURCES},
      {"NtCreateNamedPipeFile", 0xC0000044 /* STATUS_QUOTA_EXCEEDED */, ERROR_NOT_ENOUGH_QUOTA},
      {"NtOpenFile", 0xC0000022 /* STATUS_ACCESS_DENIED */, ERROR_ACCESS_DENIED},
      {"NtOpenFile", 0xC000011F /* STATUS_TOO_MANY_OPENED_FILES */, ERROR_TOO_MANY_OPEN_FILES},
  };
  HANDLE first, second;
  size_t index;
  int which;
  CHECK_EQ(make(0, &first, &second), 0); /* npfs is open now, and stays */
  close_handle(first);
  close_handle(second);
  for (index = 0; index < sizeof faults / sizeof faults[0]; index++) {
    for (which = 0; which < 3; which++) {
      long before = open_handles();
      struct fault fault = break_nt(faults[index].function, faults[index].status);
      DWORD code = (first = second = UNTOUCHED, make(which, &first, &second));
      mend_nt(fault);
      CHECK_EQ(code, faults[index].code);
      CHECK(first == UNTOUCHED && second == UNTOUCHED);
      CHECK_EQ(open_handles(), before);
    }
  }
}

/* The fallback, whose name is the only thing that others could go by. */
static void names_cannot_be_guessed(void) {
  anonpipe_options options = ANONPIPE_OPTIONS_INIT;
  WCHAR names[20][300];
  int index, other;
  options.creation = ANONPIPE_CREATION_NAMED;
  for (index = 0; index < 20; index++) {
    HANDLE server, client;
    CHECK_EQ(anonpipe_pair(&options, &server, &client), 0);
    memset(names[index], 0, sizeof names[index]);
    CHECK_EQ(name_of(server, names[index]), wcslen(L"\\anonpipe-") + 32);
    for (other = 0; other < index; other++) CHECK(wcsncmp(names[index] + 10, names[other] + 10, 8) != 0);
    close_handle(server);
    close_handle(client);
  }
}

static void a_system_without_unnamed_pipes_has_named_ones(void) {
  HANDLE first = UNTOUCHED, second = UNTOUCHED;
  DWORD code;
  struct fault fault = break_nt("NtCreateNamedPipeFile", 0xC00000BB /* STATUS_NOT_SUPPORTED */);
  code = CreatePipeAnonymousPair7(&first, &second);
  mend_nt(fault);
  CHECK_EQ(code, ERROR_NOT_SUPPORTED);
  CHECK(first == UNTOUCHED && second == UNTOUCHED);
  fault = break_nt("NtCreateNamedPipeFile", 0xC00000BB);
  code = CreatePipeAnonymousPair(&first, &second);
  mend_nt(fault);
  CHECK_EQ(code, ERROR_NOT_SUPPORTED); /* here even the name is refused, but the refusal is remembered: */
  CHECK_EQ(CreatePipeAnonymousPair(&first, &second), 0);
  {
    WCHAR name[300];
    CHECK_EQ(name_of(first, name), wcslen(L"\\anonpipe-") + 32);
    CHECK(!is_inheritable(first) && is_inheritable(second));
    pass(first, second);
  }
  close_handle(first);
  close_handle(second);
}

int main(int argc, char **argv) {
  static const struct test tests[] = {
      TEST(failures_keep_their_code_and_leak_nothing),
      TEST(names_cannot_be_guessed),
      TEST(a_system_without_unnamed_pipes_has_named_ones),
  };
  return RUN_TESTS(tests, argc, argv);
}
