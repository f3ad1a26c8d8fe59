// Kernel interfaces that Swift cannot import: variadic calls, function-like macros, and constants newer than Debian 12's headers.
// Inline wrappers only; whoever owns a pointer or a descriptor is Swift.
#ifndef TERRINE_CLINUX_H
#define TERRINE_CLINUX_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static inline long clinux_syscall6(long n, long a, long b, long c, long d, long e, long f) {
    return syscall(n, a, b, c, d, e, f);
}
static inline int clinux_ioctl(int fd, unsigned long request, void *argument) { return ioctl(fd, request, argument); }
static inline int clinux_ioctl_int(int fd, unsigned long request, long argument) { return ioctl(fd, request, argument); }
static inline int clinux_prctl(int option, unsigned long a, unsigned long b) { return prctl(option, a, b, 0UL, 0UL); }
static inline int clinux_openat(int dir, const char *path, int flags, mode_t mode) {
    return openat(dir, path, flags, mode);
}
static inline int clinux_fcntl_int(int fd, int command, int argument) { return fcntl(fd, command, argument); }

#endif
