// Kernel interfaces that Swift cannot import: variadic calls, function-like macros, and constants newer than Debian 12's headers.
// Inline wrappers only; whoever owns a pointer or a descriptor is Swift.
#ifndef TERRINE_CLINUX_H
#define TERRINE_CLINUX_H
// No _GNU_SOURCE: with it glibc's own structures differ from those that Swift's Glibc module was made with. What it would declare goes through
// clinux_syscall6.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
extern int pipe2(int ends[2], int flags);

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

// A child that does nothing but keep new namespaces alive until it is killed; it dies with its parent. Only system calls: the parent may have threads.
static inline int clinux_namespace_holder(long namespaces) {
    long parent = getpid();
    long pid = syscall(SYS_clone, namespaces | 17 /* SIGCHLD */, 0L, 0L, 0L, 0L);
    if (pid == 0) {
        syscall(SYS_prctl, PR_SET_PDEATHSIG, 9L, 0L, 0L, 0L);
        // Who died before that was said sends no signal.
        if (syscall(SYS_getppid) != parent) syscall(SYS_exit_group, 0L);
        for (;;) syscall(SYS_pause);
    }
    return (int)pid;
}

// Swift has no fork(2), since a process with threads may do little after it; the callers have one thread.
static inline int clinux_fork(void) { return fork(); }

static inline int clinux_accept4(int fd, int flags) { return (int)syscall(SYS_accept4, fd, 0L, 0L, flags); }

static inline long clinux_send(int fd, const void *bytes, long count, const int *descriptors, int descriptor_count) {
    union { char bytes[CMSG_SPACE(sizeof(int) * 16)]; struct cmsghdr align; } control = {0};
    struct iovec part = {(void *)bytes, (size_t)count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor_count > 0 && descriptor_count <= 16) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)descriptor_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)descriptor_count);
        __builtin_memcpy(CMSG_DATA(header), descriptors, sizeof(int) * (size_t)descriptor_count);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

// *descriptor_count: room in `descriptors` (at most 16), then how many came.
static inline long clinux_receive(int fd, void *bytes, long count, int *descriptors, int *descriptor_count) {
    union { char bytes[CMSG_SPACE(sizeof(int) * 16)]; struct cmsghdr align; } control;
    struct iovec part = {bytes, (size_t)count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    long received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    int found = 0;
    for (struct cmsghdr *header = received < 0 ? 0 : CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int here = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < here; i++) {
            int one;
            __builtin_memcpy(&one, CMSG_DATA(header) + sizeof(int) * (size_t)i, sizeof one);
            if (found < *descriptor_count) descriptors[found++] = one; else close(one);
        }
    }
    *descriptor_count = found;
    return received;
}

#endif
