/// The system calls that a machine's processes may make: Docker's default profile for the capabilities that machines have.
///
/// What is not listed fails with EPERM. Left out on purpose: mounting, new namespaces (`clone` with such flags too), keyrings, kernel modules, BPF,
/// performance events, clocks, swap, io_uring, and the x32 ABI, which nothing uses and whose call numbers have been a way around filters.
/// Source: the containers' documentation of the profile, https://docs.docker.com/engine/security/seccomp/.
enum SeccompProfile {
    /// ``document`` as JSON; made once, since that takes 2 ms.
    static let text = Result { try ociText(document) }

    /// As the runtime reads it, in `linux.seccomp`.
    static var document: [String: Any] {
        var rules: [[String: Any]] = [
            ["names": allowed, "action": "SCMP_ACT_ALLOW"],
            // AF_VSOCK (40) reaches a hypervisor past every network namespace.
            ["names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [["index": 0, "value": 40, "op": "SCMP_CMP_NE"]]],
            // No flag that makes a namespace.
            [
                "names": ["clone"], "action": "SCMP_ACT_ALLOW",
                "args": [["index": 0, "value": namespaceFlags, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"]],
            ],
            // Its flags lie behind a pointer that no filter can follow: programs take ENOSYS as a hint to use `clone`.
            ["names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38],
        ]
        for persona in personalities {
            rules.append(["names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [["index": 0, "value": persona, "op": "SCMP_CMP_EQ"]]])
        }
        return ["defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": architectures, "syscalls": rules]
    }

    #if arch(x86_64)
        static let architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
        private static let ofArchitecture = "arch_prctl modify_ldt"
    #elseif arch(arm64)
        static let architectures = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
        private static let ofArchitecture = "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"
    #endif

    /// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
    private static let namespaceFlags = 0x7e02_0000
    /// PER_LINUX and PER_LINUX32, each with and without UNAME26; 0xffffffff asks which is in force.
    private static let personalities = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff]

    private static let allowed = [files, memory, processes, users, signals, waiting, time, sockets, interprocess, ofArchitecture]
        .joined(separator: " ").split(separator: " ").map(String.init)

    private static let files = """
        access chdir chmod chown chown32 chroot close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64 \
        fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock \
        fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr \
        inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup \
        io_submit ioctl ioprio_get ioprio_set landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat \
        listxattr llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat \
        openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat \
        renameat2 rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee \
        truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev
        """
    private static let memory = """
        brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock \
        munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages
        """
    private static let processes = """
        execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid getpriority getrandom getrlimit getrusage getsid get_thread_area \
        gettid pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease process_vm_readv process_vm_writev ptrace rseq sched_getaffinity \
        sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval \
        sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp setpgid setpriority \
        setrlimit setsid set_thread_area set_tid_address sysinfo times ugetrlimit uname vfork wait4 waitid waitpid
        """
    private static let users = """
        capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid getresuid32 getuid \
        getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid \
        setresuid32 setreuid setreuid32 setuid setuid32
        """
    private static let signals = """
        alarm kill pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
        rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn tgkill tkill
        """
    private static let waiting = """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 futex futex_requeue \
        futex_time64 futex_wait futex_waitv futex_wake get_robust_list _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select set_robust_list
        """
    private static let time = """
        adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 \
        getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime \
        timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
        """
    private static let sockets = """
        accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg \
        sendto setsockopt shutdown socketcall socketpair
        """
    private static let interprocess = """
        ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv \
        msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
        """
}
