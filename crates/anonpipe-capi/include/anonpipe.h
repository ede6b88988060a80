/* anonpipe: asynchronous I/O on anonymous pipes, on Windows and Unix.
 *
 * Made by cbindgen from the sources of the crate anonpipe-capi: change those.
 *
 * WHAT IT IS
 *
 * A library for pipes whose two ends you choose one by one. An OVERLAPPED end is for the side that
 * you keep: any number of reads and writes may be in flight on it without blocking a thread. A
 * BLOCKING end is for the program that gets the other one. A pipe is one-way or duplex, and each
 * end is inherited by children or private.
 *
 * anonpipe_pair() makes a pair of the system's own handles. anonpipe_end_open() wraps an overlapped
 * handle as an anonpipe_end. On an end, anonpipe_read() and anonpipe_write() block, with a time
 * limit. anonpipe_submit_read() and anonpipe_submit_write() start an operation and return at once,
 * with an anonpipe_op to wait for, to cancel and to release.
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
 * each end with anonpipe_end_close(), and free each operation with anonpipe_op_release(). There is
 * nothing else to free, and both take null. Buffers are always yours, and the library copies none:
 * keep a buffer that an operation has, and leave it alone, until the operation is complete or
 * released.
 *
 * RESULTS
 *
 * Functions return ANONPIPE_OK (0), a negative ANONPIPE_E_... code of this library, or a positive
 * code of the system (errno, or a Win32 error). anonpipe_strerror() has a text for each;
 * anonpipe_last_error_text() says more about the last failure of the calling thread. The end of
 * file is success with 0 bytes. On failure no output is written, except for a number of bytes where
 * a function says so. No function raises SIGPIPE.
 *
 * THREADS
 *
 * Any number of threads may call the functions at once, even on the same end or operation, except
 * that nothing else may use one while it is closed or released. The library has one thread, which
 * starts with the first operation that has to wait. The library stays loaded after that, even if
 * the program unloads it. Call no function from a signal handler or from DllMain.
 *
 * FORK
 *
 * The library works in a process made by fork(), with a thread of that process. Ends and operations
 * that came along still belong to the parent. The child may only let go of them, with
 * anonpipe_end_close() and anonpipe_op_release(), which may also be called in a destructor or an
 * exit handler. In the child neither call waits, and neither changes what the parent has in flight.
 * On an operation of the parent, anonpipe_wait() and its like return ANONPIPE_E_UNSUPPORTED at
 * once, and anonpipe_cancel() does nothing.
 *
 * REQUIREMENTS
 *
 * "Requires", below, says what the caller has to ensure because no function can check it.
 *
 * WINDOWS
 *
 * The header needs none of Windows' headers, and may stand before or after them. It spells their
 * types out: an anonpipe_handle is a HANDLE. */

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

// As a number of bytes: unknown. The system does not tell how many have gone.
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
// CreatePipe with a mode for each end: FILE_FLAG_OVERLAPPED, or 0 for a synchronous end. The pipe
// is one-way. It has no name or, on systems without unnamed pipes, one that cannot be guessed.
//
// The attributes' inheritance and security descriptor apply to both ends; null means neither. A
// size of 0 means 4096 bytes. The default timeout is 120 seconds. The handles are plain, like those
// of CreatePipeAnonymousPair7.
//
// Returns TRUE; or FALSE, and GetLastError has the code of the call that failed.
// ERROR_INVALID_PARAMETER: a null output, the same one twice, another mode, or attributes whose
// nLength is neither their size nor 0. ERROR_INVALID_SECURITY_DESCR: the descriptor is not valid.
// On failure nothing is written, and nothing stays open. Windows only.
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

// The server reads, the client writes. The default.
#define ANONPIPE_INBOUND 0

// The server writes, the client reads.
#define ANONPIPE_OUTBOUND 1

// Both read and write. A pair of sockets on Unix.
#define ANONPIPE_DUPLEX 2

// For the side that you keep: open for overlapped I/O; on Unix with O_NONBLOCK. The default.
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

// As a time limit: none.
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
  // The time for a read or write was up, so it was cancelled.
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
  // A mistake in this library. The end or operation that it was working on is in an unknown
  // state.
  ANONPIPE_E_INTERNAL = -11,
} anonpipe_error;

// An overlapped end, for operations.
typedef struct anonpipe_end anonpipe_end;

// An operation that was submitted.
typedef struct anonpipe_op anonpipe_op;

// How a pair is to be made. Begin with ANONPIPE_OPTIONS_INIT, which sets the size and leaves
// everything else at 0: the defaults.
//
// Later versions may add fields at the end. A program that was compiled with an older header goes
// on working. One that was compiled with a newer header works as long as it leaves at 0 what this
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
  // How many bytes, in each direction, the system holds for a reader before a writer has to
  // wait. 0 means the default: 65536 on Windows, the system's own elsewhere. At most UINT32_MAX
  // on Windows, INT32_MAX elsewhere. Linux rounds the number up. If it refuses that much, the
  // pipe gets what /proc/sys/fs/pipe-max-size allows, or stays as it is; fcntl with F_GETPIPE_SZ
  // tells.
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

// Writes the meaning of a code into a buffer: one sentence in UTF-8, terminated, and cut short if
// the buffer is too small.
//
// The code is any that a function here returned: one of the library's, or a positive one of the
// system's. With a null buffer or size 0 nothing is written.
//
// Returns the length of the whole text in bytes, without the terminator. If that is size or more,
// the text was cut.
//
// Requires: the buffer, if not null, has room for size bytes.
size_t anonpipe_strerror(int error, char *buffer, size_t size);

// Writes into a buffer why the last call that failed in this thread did so. The text says more
// than the code: the action, the end, the cause and, where there is some, advice. It is empty if
// no call has failed. Otherwise this is as anonpipe_strerror.
//
// A call that succeeds leaves the text as it is, so look at it only after a failure.
// CreatePipeAnonymousPair7, CreatePipeAnonymousPair and MyCreatePipeEx report failures in their
// own way, and leave no text here.
//
// Returns the length of the whole text, as anonpipe_strerror does.
//
// Requires: the buffer, if not null, has room for size bytes.
size_t anonpipe_last_error_text(char *buffer, size_t size);

// Returns the version of the library that the program runs with, such as "0.1.0". The text is
// static. ANONPIPE_VERSION_MAJOR and its like are the version of the header.
const char *anonpipe_version(void);

// Makes a connected pair of ends. Does not block, and starts no thread.
//
// Null options mean the defaults, as ANONPIPE_OPTIONS_INIT does: the server reads, the client
// writes, and both ends are overlapped and private. The handles are the system's own, bound to no
// completion port, and yours to close. On failure neither output is written, and nothing stays
// open.
//
// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: a null output, the same place for both, an unknown
// value, a capacity that the system cannot express, or a bad descriptor. ANONPIPE_E_UNSUPPORTED:
// an option that only Windows has, elsewhere; or a field that this version does not know. Else the
// system's code, such as that for too many open files.
//
// Requires: the options, if not null, begin with their size and are that large, and their text, if
// there is one, is terminated; the outputs can be written.
int anonpipe_pair(const struct anonpipe_options *options,
                  anonpipe_handle *server,
                  anonpipe_handle *client);

// Wraps an overlapped handle for operations: one from anonpipe_pair, or any overlapped end of a
// connected byte pipe (on Unix: a pipe, FIFO or Unix stream socket with O_NONBLOCK).
//
// If this succeeds, the end owns the handle and closes it. If this fails, the handle is still
// yours, as it was. The first operation that has to wait starts the library's one thread.
//
// Other handles to the same end may be open, here or in another process: the call changes nothing
// that their owners would notice. On Windows that costs an event for each operation. If no other
// handle is open, anonpipe_end_open_exclusive is faster.
//
// On Windows this call waits while another thread or process is blocked in a read or write of the
// same synchronous handle.
//
// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: null, no handle, no pipe, or a pipe that cannot be used
// here. ANONPIPE_E_WRONG_MODE: a synchronous handle. Else the system's code, such as EBADF for a
// descriptor that is not open (on Windows such a handle counts as no pipe).
//
// Requires: the handle belongs to the caller, who does not use it any more if this succeeds; the
// output can be written.
int anonpipe_end_open(anonpipe_handle handle, struct anonpipe_end **end);

// As anonpipe_end_open, for a handle that is the only one to this end of the pipe, such as one
// from anonpipe_pair that was neither duplicated nor inherited.
//
// On Windows the first operation that is submitted binds the handle to a completion port of the
// library's. All handles to an end share its port, so from then on anonpipe_end_into_handle does
// not give the handle back. A handle that is bound to another port already is used as by
// anonpipe_end_open. On Unix the two functions are the same.
//
// Returns what anonpipe_end_open returns.
//
// Requires: what anonpipe_end_open requires; no other handle to this end is open, or will be.
int anonpipe_end_open_exclusive(anonpipe_handle handle, struct anonpipe_end **end);

// Closes an end, and returns at once. Null does nothing.
//
// Reads in flight are cancelled. Writes that were submitted finish, and only then does the peer
// see the end of file. The operations and their buffers stay as they are: wait for them and
// release them as usual.
//
// Requires: the end is open, and no other thread uses it.
void anonpipe_end_close(struct anonpipe_end *end);

// Takes the handle out again, and frees the end. The handle is yours.
//
// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_BUSY: operations are in flight.
// ANONPIPE_E_UNSUPPORTED (Windows): the end is from anonpipe_end_open_exclusive and an operation
// was submitted on it, so the handle's next owner would share the library's completion port. On
// failure the end is as it was.
//
// Requires: the end is open, and no other thread uses it; it is gone if this succeeds. The output
// can be written.
int anonpipe_end_into_handle(struct anonpipe_end *end, anonpipe_handle *handle);

// Reads up to length bytes. Blocks the caller until there are some, but at most for the time in
// milliseconds. ANONPIPE_INFINITE is no limit, and 0 takes what is there.
//
// Reads of all kinds are served in the order in which they came.
//
// Returns 0 as soon as there are any bytes, and in transferred how many. 0 bytes are the end of
// file (or an empty buffer). ANONPIPE_E_TIMED_OUT: the time was up. ANONPIPE_E_CANCELLED: by
// anonpipe_cancel_all. In both cases nothing was consumed. ANONPIPE_E_INVALID_ARGUMENT: a null end
// or buffer. ANONPIPE_E_WRONG_DIRECTION: the end only writes. Else the system's code.
//
// Requires: the end is open; the buffer has room for length bytes; transferred is null or can be
// written.
int anonpipe_read(struct anonpipe_end *end,
                  void *buffer,
                  size_t length,
                  uint32_t timeout_ms,
                  size_t *transferred);

// Writes all of length bytes. Blocks the caller until the system has them, but at most for the
// time in milliseconds. ANONPIPE_INFINITE is no limit.
//
// Returns 0 when the system has taken all of it. ANONPIPE_E_BROKEN_PIPE: the peer has closed its
// reading side; no signal is raised. ANONPIPE_E_TIMED_OUT, ANONPIPE_E_CANCELLED: as for
// anonpipe_read, and transferred says how much had gone, or ANONPIPE_UNKNOWN (Windows does not
// tell, except between two pieces of a large write). Otherwise as anonpipe_read.
//
// Requires: the end is open; the buffer has length bytes; transferred is null or can be written.
int anonpipe_write(struct anonpipe_end *end,
                   const void *buffer,
                   size_t length,
                   uint32_t timeout_ms,
                   size_t *transferred);

// Cancels all reads and writes that are in flight on an end, including those that block other
// threads. Does not wait: each reports its own outcome.
//
// Returns 0, or ANONPIPE_E_INVALID_ARGUMENT for null.
//
// Requires: the end is open.
int anonpipe_cancel_all(struct anonpipe_end *end);

// Tells how many bytes can be read without waiting; 0 at the end of file. Does not block.
//
// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_WRONG_DIRECTION: the end only writes.
// Else the system's code.
//
// Requires: the end is open; the output can be written.
int anonpipe_bytes_available(struct anonpipe_end *end, size_t *available);

// Half-closes a duplex end: the peer reads the end of file, while this end can still read. Writes
// in flight go out first; later ones fail with ANONPIPE_E_BROKEN_PIPE.
//
// Returns 0. ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_WRONG_DIRECTION: a one-way end; close
// it instead. ANONPIPE_E_UNSUPPORTED: Windows, whose pipes have no half-close; the end is as it
// was.
//
// Requires: the end is open.
int anonpipe_shutdown_write(struct anonpipe_end *end);

// Starts to read up to length bytes into a buffer, and returns at once.
//
// Any number of operations may be in flight on an end. They are served in the order in which they
// came, and go on whether or not a thread waits. The buffer stays yours, but the operation uses it
// until it is complete. Until then keep the buffer, and neither read nor change it. Release each
// operation with anonpipe_op_release.
//
// Returns 0, and the operation in op. If the read itself fails, anonpipe_wait says so. In these
// two cases nothing is submitted: ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_WRONG_DIRECTION:
// the end only writes.
//
// Requires: the end is open; the buffer has room for length bytes until the operation is complete;
// the output can be written.
int anonpipe_submit_read(struct anonpipe_end *end,
                         void *buffer,
                         size_t length,
                         struct anonpipe_op **op);

// Starts to write all of length bytes, and returns at once. Otherwise as anonpipe_submit_read:
// keep the buffer, unchanged, until the operation is complete.
//
// On Windows a write of more than 1 MiB goes in pieces. The driver issues the next piece when the
// one before is complete, and what is behind such a write waits.
//
// Returns 0, and the operation in op. If the write itself fails, anonpipe_wait says so. In these
// two cases nothing is submitted: ANONPIPE_E_INVALID_ARGUMENT: null. ANONPIPE_E_WRONG_DIRECTION:
// the end only reads.
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
// Returns 0, and in transferred how many bytes; for a read 0 bytes are the end of file.
// ANONPIPE_E_CANCELLED: after anonpipe_cancel and its like, or after the end of a read was closed.
// Then a read has consumed nothing, and for a write transferred says how many bytes had gone, or
// ANONPIPE_UNKNOWN (Windows does not tell, except between two pieces of a large write). A cancel
// that came too late changes nothing.
// ANONPIPE_E_BROKEN_PIPE: the reader of a write is gone. ANONPIPE_E_INVALID_ARGUMENT: null. Else
// the system's code.
//
// Requires: the operation is not released; transferred is null or can be written.
int anonpipe_wait(struct anonpipe_op *op, size_t *transferred);

// As anonpipe_wait, but at most for the time in milliseconds. 0 asks without waiting.
//
// Returns ANONPIPE_E_PENDING when the time is up. The operation goes on, and transferred is not
// written. Otherwise as anonpipe_wait.
//
// Requires: the operation is not released; transferred is null or can be written.
int anonpipe_wait_timeout(struct anonpipe_op *op, uint32_t timeout_ms, size_t *transferred);

// Blocks until the first of several operations is complete, but at most for the time in
// milliseconds. Says which one it is; if several are, the lowest index. Null entries are skipped,
// so set the operations that are finished to null.
//
// The result stays: ask for it with anonpipe_wait, which then returns at once. An operation that
// was complete before counts, too.
//
// Returns 0. ANONPIPE_E_PENDING: the time was up. ANONPIPE_E_INVALID_ARGUMENT: null, or there is
// no operation to wait for. On failure the index is not written.
//
// Requires: there are count operations, none of them released before this returns; the output can
// be written.
int anonpipe_wait_any(struct anonpipe_op *const *ops,
                      size_t count,
                      uint32_t timeout_ms,
                      size_t *index);

// Asks for an operation to end, and returns at once. anonpipe_wait then says what happened:
// usually ANONPIPE_E_CANCELLED, or the real result if that was quicker. Does nothing to an
// operation that is complete.
//
// Returns 0, or ANONPIPE_E_INVALID_ARGUMENT for null.
//
// Requires: the operation is not released.
int anonpipe_cancel(struct anonpipe_op *op);

// Frees an operation. Its buffer is yours alone again. Null does nothing.
//
// An operation that is still in flight is cancelled first. Then this call WAITS until the system
// is done with the buffer: for as long as the system needs to cancel, which does not depend on the
// peer. If a read was quicker than the cancel, the bytes that it took are lost. A write may have
// gone in part, and the rest does not go any more, even if its end was closed before. Where that
// matters, call anonpipe_wait first (after anonpipe_cancel, if need be).
//
// In a process made by fork(), an operation that came along is let go of at once. It goes on in
// the parent.
//
// Requires: the operation is not released yet, and no other thread uses it.
void anonpipe_op_release(struct anonpipe_op *op);

#if defined(_WIN32)
// ULONG CreatePipeAnonymousPair7(PHANDLE phServerPipe, PHANDLE phClientPipe)
//
// Makes an unnamed pair: the server end overlapped and not inheritable, the client end synchronous
// and inheritable, both read and write. Each direction holds 65536 bytes.
//
// The handles are plain, bound to no completion port, and yours to close. Every way of waiting
// works on them: events, completion ports, completion routines, thread pool I/O. Give the client
// end to a child, and close your handle when the child has it.
//
// Returns 0, or the Win32 error code of the call that failed. ERROR_INVALID_PARAMETER: a null
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
// As CreatePipeAnonymousPair7, but it also works on systems without unnamed pipes. There the pair
// has a name of 128 random bits. It admits this user alone, and one client, which is already
// connected.
//
// Requires: the outputs, if not null, can be written.
unsigned long CreatePipeAnonymousPair(anonpipe_handle *phServerPipe, anonpipe_handle *phClientPipe);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ANONPIPE_H */
