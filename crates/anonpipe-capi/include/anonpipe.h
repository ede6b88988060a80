/* anonpipe: asynchronous I/O on anonymous pipes, on Windows and Unix.
 *
 * Made by cbindgen from the sources of the crate anonpipe-capi: change those.
 *
 * WHAT IT IS
 *
 * A pipe has two ends, and you choose each of them: OVERLAPPED for the side that you keep, on which
 * any number of reads and writes may be in flight without blocking a thread, or BLOCKING for the
 * program that gets the other; one-way or duplex; inherited by children, or private.
 *
 * anonpipe_pair() makes a pair of the system's own handles. anonpipe_end_open() wraps an overlapped
 * one as an anonpipe_end. On that, anonpipe_read() and anonpipe_write() block, with a time limit;
 * anonpipe_submit_read() and anonpipe_submit_write() start an operation and return at once, with an
 * anonpipe_op to wait for, to cancel and to release.
 *
 * On Windows there are also CreatePipeAnonymousPair7, CreatePipeAnonymousPair and MyCreatePipeEx,
 * whose handles are plain and need nothing else of this library.
 *
 * EXAMPLE
 *
 *     #include <anonpipe.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *       anonpipe_handle ours, theirs;
 *       anonpipe_end *reader = NULL, *writer = NULL;
 *       anonpipe_op *op = NULL;
 *       char buffer[16], text[200];
 *       size_t count = 0;
 *
 *       int code = anonpipe_pair(NULL, &ours, &theirs);
 *       if (!code) code = anonpipe_end_open(ours, &reader);
 *       if (!code) code = anonpipe_end_open(theirs, &writer);
 *       if (!code) code = anonpipe_submit_read(reader, buffer, sizeof buffer, &op);
 *       if (!code) code = anonpipe_write(writer, "hello", 5, ANONPIPE_INFINITE, NULL);
 *       if (!code) code = anonpipe_wait(op, &count);
 *       if (!code) {
 *         printf("%.*s\n", (int)count, buffer);
 *       } else {
 *         anonpipe_last_error_text(text, sizeof text);
 *         fprintf(stderr, "%s\n", text);
 *       }
 *       anonpipe_op_release(op);
 *       anonpipe_end_close(reader);
 *       anonpipe_end_close(writer);
 *       return code != 0;
 *     }
 *
 * OWNERSHIP
 *
 * A handle is yours to close until anonpipe_end_open() succeeds; then it belongs to the end. Close
 * each end with anonpipe_end_close(), free each operation with anonpipe_op_release(); there is
 * nothing else to free. Buffers are always yours: the library copies none, so one that was given to
 * an operation must stay, and be left alone, until the operation is complete or released. Null is
 * allowed where something is closed or released.
 *
 * RESULTS
 *
 * Functions return ANONPIPE_OK (0), a negative ANONPIPE_E_... code of this library, or a positive
 * code of the system (errno, or a Win32 error). anonpipe_strerror() has a text for each;
 * anonpipe_last_error_text() says more about the last failure of the calling thread. The end of
 * file is success with 0 bytes. On failure outputs are not written, except for the number of bytes
 * where that is said. No function raises SIGPIPE.
 *
 * THREADS
 *
 * All functions may be called by any number of threads at once, on the same end and the same
 * operation too, except those that close or release it. The library has one thread of its own,
 * which starts with the first operation that has to wait. It stays loaded after that, also if the
 * program unloads it. Call no function from a signal handler or from DllMain.
 *
 * FORK
 *
 * In a process made by fork() the library works: pairs and ends that are made there have a thread
 * of their own. Ends and operations that came along still belong to the parent. The child may only
 * let go of them, with anonpipe_end_close() and anonpipe_op_release(), also in a destructor or an
 * exit handler: neither waits there, and neither changes what the parent has in flight. On an
 * operation of the parent anonpipe_wait() and its like return ANONPIPE_E_UNSUPPORTED at once, and
 * anonpipe_cancel() does nothing.
 *
 * REQUIREMENTS
 *
 * "Requires" below says what a caller must see to, because no function can check it.
 *
 * WINDOWS
 *
 * The header needs no other one of Windows', may stand before or after them in any order, and
 * spells their types out: an anonpipe_handle is a HANDLE. */

#ifndef ANONPIPE_H
#define ANONPIPE_H

#include <stddef.h>
#include <stdint.h>

// The version of this header; anonpipe_version() is that of the library that the program runs with.
#define ANONPIPE_VERSION_MAJOR 0
#define ANONPIPE_VERSION_MINOR 1
#define ANONPIPE_VERSION_PATCH 0

// The defaults: inbound, both ends overlapped and private.
#define ANONPIPE_OPTIONS_INIT { sizeof(anonpipe_options), 0, 0, 0, 0, 0, 0, 0, 0, NULL }

// As a number of bytes: the system does not tell how many have gone.
#define ANONPIPE_UNKNOWN SIZE_MAX

#ifdef _WIN32
// SECURITY_ATTRIBUTES, which windows.h defines.
struct _SECURITY_ATTRIBUTES;

#ifdef __cplusplus
extern "C" {
#endif
// BOOL APIENTRY MyCreatePipeEx(LPHANDLE lpReadPipe, LPHANDLE lpWritePipe,
//                              LPSECURITY_ATTRIBUTES lpPipeAttributes, DWORD nSize,
//                              DWORD dwReadMode, DWORD dwWriteMode)
//
// CreatePipe with a mode for each end: FILE_FLAG_OVERLAPPED, or 0 for a synchronous one. One-way,
// and without a name, or with one that cannot be guessed.
//
// The attributes' inheritance and security descriptor hold for both ends; null means neither. A
// size of 0 means 4096 bytes. The default timeout is 120 seconds. The handles are plain, as those
// of CreatePipeAnonymousPair7.
//
// Returns TRUE; or FALSE, and GetLastError has the code of the call that failed.
// ERROR_INVALID_PARAMETER: a null output, the same one twice, another mode, or attributes whose
// nLength is neither their size nor 0. ERROR_INVALID_SECURITY_DESCR: a descriptor that is none. On
// failure nothing is written, and nothing stays open. Windows only.
//
// Requires: the outputs, if not null, can be written; the attributes, if not null, can be read, and
// so can their descriptor and all that it points to.
int __stdcall MyCreatePipeEx(void **lpReadPipe,
                             void **lpWritePipe,
                             struct _SECURITY_ATTRIBUTES *lpPipeAttributes,
                             unsigned long nSize,
                             unsigned long dwReadMode,
                             unsigned long dwWriteMode);
#ifdef __cplusplus
}
#endif
#endif

// The server reads, the client writes. Named from the server's side; the default.
#define ANONPIPE_INBOUND 0

// The server writes, the client reads.
#define ANONPIPE_OUTBOUND 1

// Both read and write. A pair of sockets on Unix.
#define ANONPIPE_DUPLEX 2

// For the side you keep: opened for overlapped I/O; on Unix O_NONBLOCK. The default.
#define ANONPIPE_OVERLAPPED 0

// For the program that gets the other end: a synchronous handle, as programs expect their standard
// handles to be.
#define ANONPIPE_BLOCKING 1

// Unnamed if the system can do that, else named. The default, and the only choice on Unix.
#define ANONPIPE_CREATION_AUTO 0

// Unnamed, or failure. Windows only.
#define ANONPIPE_CREATION_UNNAMED 1

// With a name of 128 random bits. Windows only.
#define ANONPIPE_CREATION_NAMED 2

// As a time: without limit.
#define ANONPIPE_INFINITE UINT32_MAX

// What the functions return, next to the system's own codes, which are positive.
typedef enum anonpipe_error {
  // It worked.
  ANONPIPE_OK = 0,
  // An argument makes no sense: a null pointer, a value that is not defined, two outputs in the
  // same place.
  ANONPIPE_E_INVALID_ARGUMENT = -1,
  // The time to wait was up. The operation goes on: wait again, or cancel it.
  ANONPIPE_E_PENDING = -2,
  // The time for a read or write was up, and it was cancelled.
  ANONPIPE_E_TIMED_OUT = -3,
  // The operation was cancelled, or its end was closed.
  ANONPIPE_E_CANCELLED = -4,
  // The peer has closed its reading side: stop writing.
  ANONPIPE_E_BROKEN_PIPE = -5,
  // Operations are in flight on the end: wait for them, or cancel them, first.
  ANONPIPE_E_BUSY = -6,
  // This system cannot do that.
  ANONPIPE_E_UNSUPPORTED = -7,
  // The handle is synchronous (on Unix: it blocks), and operations need an overlapped one (on
  // Unix: O_NONBLOCK).
  ANONPIPE_E_WRONG_MODE = -8,
  // A read of an end that only writes, or a write to one that only reads.
  ANONPIPE_E_WRONG_DIRECTION = -9,
  // A failure that has no code of its own; anonpipe_last_error_text() says what it was.
  ANONPIPE_E_OTHER = -10,
  // A mistake in this library. What it was working on is in an unknown state.
  ANONPIPE_E_INTERNAL = -11,
} anonpipe_error;

// An overlapped end, for operations.
typedef struct anonpipe_end anonpipe_end;

// An operation that was submitted.
typedef struct anonpipe_op anonpipe_op;

// How a pair shall be made. Begin with ANONPIPE_OPTIONS_INIT, which sets the size and leaves
// everything else at 0: the defaults.
//
// Later versions may add fields at the end. A program that was compiled with an older header goes
// on working, and one compiled with a newer header works as long as it leaves at 0 what this
// library does not know.
typedef struct anonpipe_options {
  // sizeof(anonpipe_options).
  uint32_t size;
  // ANONPIPE_INBOUND, ANONPIPE_OUTBOUND or ANONPIPE_DUPLEX.
  uint32_t direction;
  // ANONPIPE_OVERLAPPED or ANONPIPE_BLOCKING.
  uint32_t server_mode;
  // ANONPIPE_OVERLAPPED or ANONPIPE_BLOCKING.
  uint32_t client_mode;
  // 1: every child that is started while the end is open inherits it. 0: none does.
  uint32_t server_inheritable;
  // As server_inheritable.
  uint32_t client_inheritable;
  // How a pair is made on Windows: ANONPIPE_CREATION_AUTO, _UNNAMED or _NAMED.
  uint32_t creation;
  // 0.
  uint32_t reserved;
  // How many bytes the system holds for a reader before a writer has to wait, in each direction.
  // 0: the default, 65536 on Windows, the system's own elsewhere. At most UINT32_MAX on Windows,
  // INT32_MAX elsewhere. Linux rounds it up, and where it refuses that much, the pipe gets what
  // /proc/sys/fs/pipe-max-size allows, or stays as it is (fcntl with F_GETPIPE_SZ tells).
  uint64_t capacity;
  // Who may open the pipe on Windows, as SDDL in UTF-8, such as "D:P(A;;GA;;;OW)". Null: the
  // default.
  const char *sddl;
} anonpipe_options;

#if defined(_WIN32)
// The system's own handle to an end of a pipe: a HANDLE. It is yours: close it with CloseHandle.
typedef void *anonpipe_handle;
#endif

#if !defined(_WIN32)
// The system's own handle to an end of a pipe: a descriptor. It is yours: close it with close.
typedef int anonpipe_handle;
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Writes what a code means into a buffer: one sentence in UTF-8, terminated, cut short if need be.
//
// Takes any code that a function here returned: one of ours, or a positive one of the system's.
// With a null buffer or size 0 nothing is written.
//
// Returns the length of the whole text in bytes, without the terminator; if that is size or more,
// the text was cut.
//
// Requires: the buffer, if not null, has room for size bytes.
size_t anonpipe_strerror(int error, char *buffer, size_t size);

// Writes why the last call of this thread that failed did so into a buffer: the action, the end,
// the cause and, where there is some, advice. More than the code says. As anonpipe_strerror
// otherwise; empty if no call has failed.
//
// A call that succeeds leaves the text as it is, so look at it only after a failure. The three
// Windows functions have their own way of failing and no text here.
//
// Returns the length of the whole text, as anonpipe_strerror does.
//
// Requires: the buffer, if not null, has room for size bytes.
size_t anonpipe_last_error_text(char *buffer, size_t size);

// The version of the library that runs, such as "0.1.0"; ANONPIPE_VERSION_MAJOR and its like are
// the header's. The text is static.
const char *anonpipe_version(void);

// Makes a connected pair of ends. Does not block, and starts no thread.
//
// Null options mean the defaults, as ANONPIPE_OPTIONS_INIT does: the server reads, the client
// writes, both ends are overlapped and private. The handles are the system's own, bound to no
// completion port; they are yours to close. On failure neither output is written, and nothing
// stays open.
//
// Returns 0; ANONPIPE_E_INVALID_ARGUMENT for a null output, the same place for both, an unknown
// value, a capacity beyond what the system can express, or a bad descriptor;
// ANONPIPE_E_UNSUPPORTED for Windows' own options elsewhere, and for a field that this version
// does not know; else the system's code, such as that for too many open files.
//
// Requires: the options, if not null, begin with their size and are that large, and their text, if
// there is one, is terminated; the outputs can be written.
int anonpipe_pair(const struct anonpipe_options *options,
                  anonpipe_handle *server,
                  anonpipe_handle *client);

// Wraps an overlapped handle for operations: one from anonpipe_pair, or any overlapped end of a
// connected byte pipe (on Unix: a pipe, FIFO or Unix stream socket with O_NONBLOCK).
//
// The end owns the handle if this succeeds, and closes it; if this fails, it is still yours, as it
// was. The first operation that has to wait starts the library's one thread.
//
// Other handles to the same end may be open, here or in another process: nothing is changed that
// they would notice. On Windows each operation has an event for that; where no other handle is
// open, anonpipe_end_open_exclusive is faster.
//
// On Windows this waits while another thread or process is blocked in a read or write of the same
// synchronous handle.
//
// Returns 0; ANONPIPE_E_INVALID_ARGUMENT for null, for what is no handle, and for what is no pipe
// or not a fit one; ANONPIPE_E_WRONG_MODE for a synchronous handle; else the system's code, such
// as EBADF for a descriptor that is not open (on Windows such a handle is no pipe).
//
// Requires: the handle belongs to the caller, who does not use it any more if this succeeds; the
// output can be written.
int anonpipe_end_open(anonpipe_handle handle, struct anonpipe_end **end);

// As anonpipe_end_open, for a handle that is the only one to this end of the pipe, such as one
// from anonpipe_pair that was neither duplicated nor inherited.
//
// On Windows the first anonpipe_submit_ binds it to a completion port of the library's, which
// belongs to all handles to that end, and anonpipe_end_into_handle does not give it back from then
// on. A handle that is bound to another port already is used as by anonpipe_end_open. On Unix the
// two are the same.
//
// Returns what anonpipe_end_open returns.
//
// Requires: what anonpipe_end_open requires; no other handle to this end is open, or will be.
int anonpipe_end_open_exclusive(anonpipe_handle handle, struct anonpipe_end **end);

// Closes an end, and returns at once. Null does nothing.
//
// Reads in flight are cancelled; writes that were submitted finish, and only then does the peer
// see the end of file. The operations themselves, and their buffers, stay as they are: wait for
// them and release them as ever.
//
// Requires: the end is open, and no other thread uses it.
void anonpipe_end_close(struct anonpipe_end *end);

// Takes the handle out again, and frees the end. The handle is yours.
//
// Returns 0; ANONPIPE_E_INVALID_ARGUMENT for null; ANONPIPE_E_BUSY while operations are in flight;
// on Windows ANONPIPE_E_UNSUPPORTED for an end of anonpipe_end_open_exclusive on which an operation
// was submitted, because its next owner would share the library's completion port. On failure the
// end is as it was.
//
// Requires: the end is open, and no other thread uses it; it is gone if this succeeds. The output
// can be written.
int anonpipe_end_into_handle(struct anonpipe_end *end, anonpipe_handle *handle);

// Reads up to length bytes, blocking the caller, but not longer than the time in milliseconds;
// ANONPIPE_INFINITE is no limit, and 0 takes what is there.
//
// Reads, whichever way they are made, are served in the order in which they came.
//
// Returns 0 as soon as there are any bytes, and how many in transferred; 0 bytes are the end of
// file (or an empty buffer). ANONPIPE_E_TIMED_OUT when the time was up, and ANONPIPE_E_CANCELLED
// after anonpipe_cancel_all: nothing was consumed then. ANONPIPE_E_INVALID_ARGUMENT for a null end
// or buffer; ANONPIPE_E_WRONG_DIRECTION for an end that only writes; else the system's code.
//
// Requires: the end is open; the buffer has room for length bytes; transferred is null or can be
// written.
int anonpipe_read(struct anonpipe_end *end,
                  void *buffer,
                  size_t length,
                  uint32_t timeout_ms,
                  size_t *transferred);

// Writes all of length bytes, blocking the caller, but not longer than the time in milliseconds;
// ANONPIPE_INFINITE is no limit.
//
// Returns 0 when the system has taken all of it. ANONPIPE_E_BROKEN_PIPE if the peer has closed its
// reading side, without a signal; ANONPIPE_E_TIMED_OUT and ANONPIPE_E_CANCELLED as for
// anonpipe_read, and then transferred says how much had gone, or ANONPIPE_UNKNOWN (Windows does
// not tell). Else as anonpipe_read.
//
// Requires: the end is open; the buffer has length bytes; transferred is null or can be written.
int anonpipe_write(struct anonpipe_end *end,
                   const void *buffer,
                   size_t length,
                   uint32_t timeout_ms,
                   size_t *transferred);

// Cancels everything that is in flight on an end, reads and writes, those that block other threads
// included. Does not wait; each operation says itself what became of it.
//
// Returns 0, or ANONPIPE_E_INVALID_ARGUMENT for null.
//
// Requires: the end is open.
int anonpipe_cancel_all(struct anonpipe_end *end);

// Tells how many bytes can be read without waiting; 0 at the end of file. Does not block.
//
// Returns 0; ANONPIPE_E_INVALID_ARGUMENT for null; ANONPIPE_E_WRONG_DIRECTION for an end that only
// writes; else the system's code.
//
// Requires: the end is open; the output can be written.
int anonpipe_bytes_available(struct anonpipe_end *end, size_t *available);

// Half-closes a duplex end: the peer reads the end of file, while this end still reads. Writes in
// flight go out first; later ones fail with ANONPIPE_E_BROKEN_PIPE.
//
// Returns 0; ANONPIPE_E_INVALID_ARGUMENT for null; ANONPIPE_E_WRONG_DIRECTION for a one-way end,
// which is closed instead; ANONPIPE_E_UNSUPPORTED on Windows, whose pipes have no half-close: the
// end is as it was.
//
// Requires: the end is open.
int anonpipe_shutdown_write(struct anonpipe_end *end);

// Starts to read up to length bytes into a buffer, and returns at once.
//
// Any number of operations may be in flight on an end; they are served in the order in which they
// came, and go on whether or not a thread waits. The buffer stays yours, but the operation uses it
// until it is complete: until then the buffer must stay, and you neither read nor change it. Each
// operation is released with anonpipe_op_release.
//
// Returns 0, and the operation in op; what goes wrong with the read is said by anonpipe_wait, such
// as ANONPIPE_E_INVALID_ARGUMENT for more than UINT32_MAX bytes on Windows. Or, with nothing
// submitted, ANONPIPE_E_INVALID_ARGUMENT for null, ANONPIPE_E_WRONG_DIRECTION for an end that only
// writes.
//
// Requires: the end is open; the buffer has room for length bytes until the operation is complete;
// the output can be written.
int anonpipe_submit_read(struct anonpipe_end *end,
                         void *buffer,
                         size_t length,
                         struct anonpipe_op **op);

// Starts to write all of length bytes, and returns at once. As anonpipe_submit_read otherwise: the
// buffer must stay, unchanged, until the operation is complete.
//
// Returns 0, and the operation in op; what goes wrong with the write is said by anonpipe_wait,
// such as ANONPIPE_E_INVALID_ARGUMENT for more than UINT32_MAX bytes on Windows. Or, with nothing
// submitted, ANONPIPE_E_INVALID_ARGUMENT for null, ANONPIPE_E_WRONG_DIRECTION for an end that only
// reads.
//
// Requires: the end is open; the buffer has length bytes until the operation is complete; the
// output can be written.
int anonpipe_submit_write(struct anonpipe_end *end,
                          const void *buffer,
                          size_t length,
                          struct anonpipe_op **op);

// Blocks until an operation is complete. May be called again, and by several threads at once: all
// get the same result.
//
// Returns 0, and how many bytes in transferred; for a read 0 bytes are the end of file.
// ANONPIPE_E_CANCELLED after anonpipe_cancel and its like, or after the end of a read was closed,
// and then transferred says what is known: a read has consumed nothing; of a write that many bytes
// had gone, or ANONPIPE_UNKNOWN (Windows does not tell). A cancel that came too late changes
// nothing. ANONPIPE_E_BROKEN_PIPE for a write whose reader is gone; ANONPIPE_E_INVALID_ARGUMENT
// for null; else the system's code.
//
// Requires: the operation is not released; transferred is null or can be written.
int anonpipe_wait(struct anonpipe_op *op, size_t *transferred);

// As anonpipe_wait, but not longer than the time in milliseconds. 0 asks without waiting.
//
// Returns ANONPIPE_E_PENDING when the time is up: the operation goes on, and transferred is not
// written. Else as anonpipe_wait.
//
// Requires: the operation is not released; transferred is null or can be written.
int anonpipe_wait_timeout(struct anonpipe_op *op, uint32_t timeout_ms, size_t *transferred);

// Blocks until the first of several operations is complete, but not longer than the time in
// milliseconds, and says which: the lowest index, if there are several. Null entries are passed
// over, so that finished ones can be struck out.
//
// Takes no result: ask with anonpipe_wait, which then returns at once. An operation that was
// complete before counts.
//
// Returns 0; ANONPIPE_E_PENDING when the time was up; ANONPIPE_E_INVALID_ARGUMENT for null, and if
// there is no operation to wait for. On failure the index is not written.
//
// Requires: there are count operations, none of them released before this returns; the output can
// be written.
int anonpipe_wait_any(struct anonpipe_op *const *ops,
                      size_t count,
                      uint32_t timeout_ms,
                      size_t *index);

// Asks for an operation to end, and returns at once. What happened is said by anonpipe_wait:
// usually ANONPIPE_E_CANCELLED, or the real result if that was quicker. Does nothing to an
// operation that is complete.
//
// Returns 0, or ANONPIPE_E_INVALID_ARGUMENT for null.
//
// Requires: the operation is not released.
int anonpipe_cancel(struct anonpipe_op *op);

// Frees an operation; its buffer is yours alone again. Null does nothing.
//
// One that is still in flight is cancelled first, and this WAITS until the system is done with the
// buffer: for as long as the system needs to cancel, which does not depend on the peer. A read
// that was quicker than the cancel has taken its bytes, and they are lost; a write may have gone
// in part, and the rest does not go any more, also if its end was closed. Where that matters,
// anonpipe_wait first (after anonpipe_cancel, if need be).
//
// In a process made by fork() an operation that came along is let go of at once, and goes on in the
// parent.
//
// Requires: the operation is not released yet, and no other thread uses it.
void anonpipe_op_release(struct anonpipe_op *op);

#if defined(_WIN32)
// ULONG CreatePipeAnonymousPair7(PHANDLE phServerPipe, PHANDLE phClientPipe)
//
// Makes an unnamed pair: the server end overlapped and not inheritable, the client end synchronous
// and inheritable, both read and write. Each direction holds 65536 bytes.
//
// The handles are plain, bound to no completion port, and yours to close. They are good for every
// way of waiting: events, completion ports, completion routines, thread pool I/O. Give the client
// end to a child, and close it when the child has it.
//
// Returns 0, or the Win32 error code of the call that failed: ERROR_INVALID_PARAMETER for a null
// pointer, or the same one twice. On failure nothing is written, and nothing stays open. Windows
// only.
//
// Requires: the outputs, if not null, can be written.
unsigned long CreatePipeAnonymousPair7(anonpipe_handle *phServerPipe,
                                       anonpipe_handle *phClientPipe);
#endif

#if defined(_WIN32)
// ULONG CreatePipeAnonymousPair(PHANDLE phServerPipe, PHANDLE phClientPipe)
//
// As CreatePipeAnonymousPair7, on systems that know no unnamed pipes too: there the pair has a
// name, of 128 random bits, that admits this user alone and one client, which is already
// connected.
//
// Requires: the outputs, if not null, can be written.
unsigned long CreatePipeAnonymousPair(anonpipe_handle *phServerPipe, anonpipe_handle *phClientPipe);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ANONPIPE_H */
