/* Records the file operations of a process below one folder, and makes them fail on request.
 *
 * Loaded with LD_PRELOAD. Paths that start with $SHIM_ROOT are watched. The program calls:
 *
 *   shim_record(path)             append every operation to this log; see `emit`
 *   shim_fail(kinds, n, m, error) let operations n to m of these kinds fail, counted from now
 *   shim_count(kinds)             return the number of operations of these kinds since shim_fail
 *
 * Another process can do the same through the file $SHIM_CONTROL, which is mapped as a
 * `struct control`. The error -1 ends the process by SIGKILL before the operation. It also moves the
 * clock.
 *
 * Stores through memory maps and buffered writes of the C library are not intercepted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, OPEN = 4, RENAME = 8, TRUNCATE = 16, UNLINK = 32, MKDIR = 64, READ = 128 };
enum { KINDS = 8 };

#define FDS 4096
static char *names[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

/* Which operations fail, the number of operations of each kind since then, and the seconds by which
 * the clock of the process is wrong. */
struct control {
    int32_t kinds, error;
    int64_t from, to, counts[KINDS], seconds;
};
static struct control own, *control = &own;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("SHIM_CONTROL");
    if (!path) return;
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED) abort();
    syscall(SYS_close, fd);
}

static const char *root(void) {
    static const char *value;
    if (!value && !(value = getenv("SHIM_ROOT"))) value = "/nowhere";
    return value;
}

static int watched(const char *path) { return path && !strncmp(path, root(), strlen(root())); }

static const char *name_of(int fd) { return fd >= 0 && fd < FDS ? names[fd] : NULL; }

static void absolute(char *out, int folder, const char *path) {
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else if (folder != AT_FDCWD && name_of(folder)) {
        snprintf(out, PATH_MAX, "%s/%s", name_of(folder), path);
    } else {
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here)) here[0] = 0;
        if (snprintf(out, PATH_MAX, "%s/%s", here, path) >= PATH_MAX) abort();
    }
}

static void name(int fd, const char *path) {
    if (fd < 0 || fd >= FDS) return;
    pthread_mutex_lock(&lock);
    free(names[fd]);
    names[fd] = path && watched(path) ? strdup(path) : NULL;
    pthread_mutex_unlock(&lock);
}

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t done = syscall(SYS_write, log_fd, at, size);
        if (done <= 0) abort();
        at += done;
        size -= done;
    }
}

/* Append a record: kind, offset, sizes of path, second path and data; then these three. */
static void emit(char kind, const char *path, const char *second, int64_t offset,
                 const void *data, size_t size) {
    if (log_fd < 0) return;
    int saved = errno;
    struct { int64_t kind, offset, path, second, size; } head = {
        kind, offset, strlen(path), second ? strlen(second) : 0, data ? size : 0};
    pthread_mutex_lock(&lock);
    put(&head, sizeof head);
    put(path, head.path);
    if (second) put(second, head.second);
    if (data) put(data, size);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

static int index_of(int kind) { return __builtin_ctz(kind); }

/* Count an operation. Return true if it must fail. */
static int fails(int kind, const char *path) {
    size_t length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, ".ack")) return 0;
    long before = 0;
    pthread_mutex_lock(&lock);
    control->counts[index_of(kind)]++;
    for (int i = 0; i < KINDS; i++)
        if (control->kinds & (1 << i)) before += control->counts[i];
    int fail = (control->kinds & kind) && before >= control->from && before <= control->to;
    pthread_mutex_unlock(&lock);
    if (fail && control->error == -1) kill(getpid(), SIGKILL);
    if (fail) errno = control->error;
    return fail;
}

void shim_record(const char *path) {
    log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

void shim_fail(int kinds, long n, long m, int error) {
    *control = (struct control){kinds, error, n, m, {0}, 0};
}

long shim_count(int kinds) {
    long sum = 0;
    for (int i = 0; i < KINDS; i++)
        if (kinds & (1 << i)) sum += control->counts[i];
    return sum;
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char whole[PATH_MAX];
    absolute(whole, folder, path);
    if (!watched(whole)) return syscall(SYS_openat, folder, path, flags, mode);
    struct stat state;
    int existed = !fstatat(AT_FDCWD, whole, &state, 0);
    if ((flags & O_CREAT) && !existed && fails(OPEN, whole)) return -1;
    int fd = syscall(SYS_openat, folder, path, flags, mode);
    if (fd < 0) return fd;
    name(fd, whole);
    if ((flags & O_CREAT) && !existed) emit('c', whole, NULL, 0, NULL, 0);
    if ((flags & O_TRUNC) && existed) emit('t', whole, NULL, 0, NULL, 0);
    return fd;
}

#define OPENER(symbol)                                                 \
    int symbol(const char *path, int flags, ...) {                     \
        va_list more;                                                  \
        va_start(more, flags);                                         \
        mode_t mode = flags & O_CREAT ? va_arg(more, int) : 0;         \
        va_end(more);                                                  \
        return opened(AT_FDCWD, path, flags, mode);                    \
    }
OPENER(open)
OPENER(open64)

#define OPENER_AT(symbol)                                              \
    int symbol(int folder, const char *path, int flags, ...) {         \
        va_list more;                                                  \
        va_start(more, flags);                                         \
        mode_t mode = flags & O_CREAT ? va_arg(more, int) : 0;         \
        va_end(more);                                                  \
        return opened(folder, path, flags, mode);                      \
    }
OPENER_AT(openat)
OPENER_AT(openat64)

int close(int fd) {
    name(fd, NULL);
    return syscall(SYS_close, fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    const char *path = name_of(fd);
    if (!path) return syscall(SYS_write, fd, data, size);
    if (fails(WRITE, path)) return -1;
    int flags = fcntl(fd, F_GETFL);
    off_t at = lseek(fd, 0, flags & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t done = syscall(SYS_write, fd, data, size);
    if (done > 0) emit('w', path, NULL, at, data, done);
    return done;
}

static ssize_t written(int fd, const void *data, size_t size, off_t at) {
    const char *path = name_of(fd);
    if (!path) return syscall(SYS_pwrite64, fd, data, size, at);
    if (fails(WRITE, path)) return -1;
    ssize_t done = syscall(SYS_pwrite64, fd, data, size, at);
    if (done > 0) emit('w', path, NULL, at, data, done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return written(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return written(fd, data, size, at);
}

static ssize_t obtained(int fd, void *data, size_t size, off_t at) {
    const char *path = name_of(fd);
    if (path && fails(READ, path)) return -1;
    return syscall(SYS_pread64, fd, data, size, at);
}
ssize_t pread(int fd, void *data, size_t size, off_t at) { return obtained(fd, data, size, at); }
ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    return obtained(fd, data, size, at);
}
ssize_t read(int fd, void *data, size_t size) {
    const char *path = name_of(fd);
    if (path && fails(READ, path)) return -1;
    return syscall(SYS_read, fd, data, size);
}

static int cut(int fd, off_t size) {
    const char *path = name_of(fd);
    if (!path) return syscall(SYS_ftruncate, fd, size);
    if (fails(TRUNCATE, path)) return -1;
    int result = syscall(SYS_ftruncate, fd, size);
    if (!result) emit('t', path, NULL, size, NULL, 0);
    return result;
}
int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut(fd, size); }

/* SQLite's files: every write is intercepted. The C library may buffer writes to others. */
static int database(const char *path) {
    size_t length = strlen(path);
    return (length > 3 && !strcmp(path + length - 3, ".db")) || strstr(path, ".db-");
}

static int synced(int fd, int call) {
    const char *path = name_of(fd);
    if (!path) return syscall(call, fd);
    if (fails(SYNC, path)) return -1;
    struct stat state;
    char *content = NULL;
    ssize_t size = 0;
    if (log_fd >= 0 && !fstat(fd, &state) && S_ISREG(state.st_mode) && !database(path)) {
        content = malloc(state.st_size + 1);
        int again = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
        while (size < state.st_size) {
            ssize_t got = pread(again, content + size, state.st_size - size, size);
            if (got <= 0) abort();
            size += got;
        }
        syscall(SYS_close, again);
    }
    emit(content ? 'f' : 's', path, NULL, 0, content, size);
    free(content);
    return 0; /* The real disk does not matter: only the order is recorded. */
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int renamed(int from, const char *old, int to, const char *new) {
    char source[PATH_MAX], target[PATH_MAX];
    absolute(source, from, old);
    absolute(target, to, new);
    if (!watched(source) && !watched(target)) return syscall(SYS_renameat, from, old, to, new);
    if (fails(RENAME, target)) return -1;
    int result = syscall(SYS_renameat, from, old, to, new);
    if (!result) emit('r', source, target, 0, NULL, 0);
    return result;
}
int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new); }
int renameat(int from, const char *old, int to, const char *new) {
    return renamed(from, old, to, new);
}
/* Exchanges and renames without replacement are counted, and not recorded. */
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    char target[PATH_MAX];
    absolute(target, to, new);
    if (watched(target) && fails(RENAME, target)) return -1;
    return syscall(SYS_renameat2, from, old, to, new, flags);
}

static int removed(int folder, const char *path, int flags) {
    char whole[PATH_MAX];
    absolute(whole, folder, path);
    if (!watched(whole)) return syscall(SYS_unlinkat, folder, path, flags);
    if (fails(UNLINK, whole)) return -1;
    int result = syscall(SYS_unlinkat, folder, path, flags);
    if (!result) emit('u', whole, NULL, 0, NULL, 0);
    return result;
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return removed(folder, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }

static int made(int folder, const char *path, mode_t mode) {
    char whole[PATH_MAX];
    absolute(whole, folder, path);
    if (!watched(whole)) return syscall(SYS_mkdirat, folder, path, mode);
    if (fails(MKDIR, whole)) return -1;
    int result = syscall(SYS_mkdirat, folder, path, mode);
    if (!result) emit('m', whole, NULL, 0, NULL, 0);
    return result;
}
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return made(folder, path, mode); }

int clock_gettime(clockid_t clock, struct timespec *out) {
    int result = syscall(SYS_clock_gettime, clock, out);
    if (!result && clock == CLOCK_REALTIME) out->tv_sec += control->seconds;
    return result;
}
