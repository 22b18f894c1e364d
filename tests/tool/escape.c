/* SPDX-License-Identifier: MIT
 *
 * Trying to get out of ferry serve's confinement. Each row is a child that has what a taken-over server would have
 * (sockets, a folder, a ring), confines itself as the program does, and makes one system call.
 */
#include "escape.h"
#include "case.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ARG(pointer) ((long)(pointer))

static void serving_still_works(void)
{
    const struct scene *s = scene_begin(true);
    char byte;
    const struct iovec piece = {&byte, 1};
    const struct escape rows[] = {
        {"read the file", SYS_pread64, {s->file, ARG(&byte), 1, 0}, 0},
        {"open it again", SYS_openat, {s->folder, ARG("file"), O_RDONLY}, 0},
        {"send", SYS_sendto, {s->stream[0], ARG("x"), 1, MSG_NOSIGNAL}, 0},
        {"a thread", ESCAPE_THREAD, {0}, 0},
        {"memory", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1}, 0},
        {"remove the socket", SYS_unlinkat, {AT_FDCWD, ARG(s->socket), 0}, 0},
        {"a vector", SYS_writev, {s->stream[0], ARG(&piece), 1}, 0},
    };
    escape_all(s, rows, sizeof rows / sizeof *rows);
    scene_end();
}

/* What serving one open file takes is no name at all. */
static void files_without_a_folder(void)
{
    const struct scene *s = scene_begin(false);
    const struct open_how how = {.flags = O_RDONLY};
    struct stat st;
    const struct escape rows[] = {
        {"open a file", SYS_openat, {AT_FDCWD, ARG("/etc/passwd"), O_RDONLY}, EPERM},
        {"open the file", SYS_openat, {s->folder, ARG("file"), O_RDONLY}, EPERM},
        {"openat2", SYS_openat2, {s->folder, ARG("file"), ARG(&how), sizeof how}, EPERM},
        {"look at one", SYS_newfstatat, {AT_FDCWD, ARG("/etc/passwd"), ARG(&st), 0}, EPERM},
        {"remove", SYS_unlinkat, {AT_FDCWD, ARG(s->socket), 0}, EPERM},
        {"read a link", SYS_readlinkat, {AT_FDCWD, ARG("/proc/self/exe"), ARG(&st), sizeof st}, EPERM},
    };
    escape_all(s, rows, sizeof rows / sizeof *rows);
    scene_end();
}

/* A folder whose files are opened: these the filter lets through, and Landlock decides. */
static void files_outside_of_the_folder(void)
{
    const struct scene *s = scene_begin(true);
    const struct escape rows[] = {
        {"an absolute name", SYS_openat, {AT_FDCWD, ARG("/etc/passwd"), O_RDONLY}, EACCES},
        {"upwards", SYS_openat, {s->folder, ARG("../outside"), O_RDONLY}, EACCES},
        {"through a link", SYS_openat, {s->folder, ARG("link"), O_RDONLY}, EACCES},
        {"its own memory", SYS_openat, {AT_FDCWD, ARG("/proc/self/mem"), O_RDWR}, EACCES},
        {"another's memory", SYS_openat, {AT_FDCWD, ARG("/proc/1/environ"), O_RDONLY}, EACCES},
        {"list the folder", SYS_openat, {s->folder, ARG("."), O_RDONLY | O_DIRECTORY}, EACCES},
        {"write", SYS_openat, {s->folder, ARG("file"), O_WRONLY}, EACCES},
        {"truncate", SYS_openat, {s->folder, ARG("file"), O_RDONLY | O_TRUNC}, EACCES},
        {"create", SYS_openat, {s->folder, ARG("new"), O_WRONLY | O_CREAT, 0600}, EACCES},
        {"an unnamed one", SYS_openat, {s->folder, ARG("."), O_RDWR | O_TMPFILE, 0600}, EACCES},
        {"remove elsewhere", SYS_unlinkat, {s->folder, ARG("file"), 0}, EACCES},
        {"remove a folder", SYS_unlinkat, {s->folder, ARG("sub"), AT_REMOVEDIR}, EACCES},
        {"rename", SYS_renameat2, {s->folder, ARG("file"), s->folder, ARG("new"), 0}, EPERM},
        {"link", SYS_linkat, {s->folder, ARG("file"), s->folder, ARG("new"), 0}, EPERM},
        {"a symbolic link", SYS_symlinkat, {ARG("/etc"), s->folder, ARG("new")}, EPERM},
        {"a folder", SYS_mkdirat, {s->folder, ARG("new"), 0700}, EPERM},
        {"rights", SYS_fchmodat, {s->folder, ARG("file"), 0777}, EPERM},
        {"shorten the open one", SYS_ftruncate, {s->file, 0}, EPERM},
        {"another working folder", SYS_chdir, {ARG("/")}, EPERM},
        {"another root", SYS_chroot, {ARG(".")}, EPERM},
        {"Landlock, once more", SYS_landlock_create_ruleset, {0, 0, 1}, EPERM},
    };
    escape_all(s, rows, sizeof rows / sizeof *rows);
    scene_end();
}

static void programs_and_processes(void)
{
    const struct scene *s = scene_begin(true);
    char *argv[] = {(char *)"true", NULL}, *envp[] = {NULL};
    const struct iovec piece = {argv, sizeof argv};
    const struct escape rows[] = {
        {"run a program", SYS_execve, {ARG("/bin/true"), ARG(argv), ARG(envp)}, EPERM},
        {"run one that is open", SYS_execveat, {s->file, ARG(""), ARG(argv), ARG(envp), AT_EMPTY_PATH}, EPERM},
        {"fork", SYS_clone, {SIGCHLD}, EPERM},
        {"vfork", SYS_clone, {SIGCHLD | CLONE_VM | CLONE_VFORK}, EPERM},
        {"clone3", SYS_clone3, {0, 0}, ENOSYS},
        {"another namespace", SYS_unshare, {CLONE_NEWUSER}, EPERM},
        {"trace", SYS_ptrace, {PTRACE_ATTACH, s->parent}, EPERM},
        {"be traced", SYS_ptrace, {PTRACE_TRACEME}, EPERM},
        {"read another's memory", SYS_process_vm_readv, {s->parent, ARG(&piece), 1, ARG(&piece), 1, 0}, EPERM},
        {"a signal", SYS_kill, {s->parent, 0}, EPERM},
        {"a signal to a thread", SYS_tgkill, {s->parent, s->parent, 0}, EPERM},
        {"a handle on another", SYS_pidfd_open, {s->parent, 0}, EPERM},
        {"code", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}, EPERM},
        {"code from data", SYS_mprotect, {ARG(s->page), 4096, PROT_READ | PROT_EXEC}, EPERM},
        {"a file in memory", SYS_memfd_create, {ARG("x"), 0}, EPERM},
        {"root again", SYS_setuid, {0}, EPERM},
        {"other capabilities", SYS_capset, {0, 0}, EPERM},
        {"privileges again", SYS_prctl, {PR_SET_DUMPABLE, 1}, EPERM},
        {"mount", SYS_mount, {ARG("none"), ARG("/there-is-none"), ARG("tmpfs"), 0, 0}, EPERM},
        {"type for the user", SYS_ioctl, {0, TIOCSTI, ARG("x")}, EPERM},
        {"bpf", SYS_bpf, {BPF_MAP_CREATE, 0, 0}, EPERM},
        {"perf_event_open", SYS_perf_event_open, {0, 0, -1, -1, 0}, EPERM},
        {"userfaultfd", SYS_userfaultfd, {0}, EPERM},
        {"keys", SYS_keyctl, {0, 0}, EPERM},
        {"another ring", SYS_io_uring_setup, {4, 0}, EPERM},
        {"a system call that there is none of yet", 9999, {0}, EPERM},
    };
    escape_all(s, rows, sizeof rows / sizeof *rows);
    scene_end();
}

static void the_network(void)
{
    const struct scene *s = scene_begin(true);
    const struct sockaddr_in *to = &s->address;
    int ends[2];
    const struct escape rows[] = {
        {"a TCP socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}, EPERM},
        {"a UDP socket", SYS_socket, {AF_INET6, SOCK_DGRAM, 0}, EPERM},
        {"a Unix socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, EPERM},
        {"a netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, EPERM},
        {"a packet socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, EPERM},
        {"a pair of them", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, ARG(ends)}, EPERM},
        {"connect one that is there", SYS_connect, {s->unused, ARG(to), sizeof *to}, EPERM},
        {"bind one", SYS_bind, {s->unused, ARG(to), sizeof *to}, EPERM},
        {"listen by one", SYS_listen, {s->unused, 1}, EPERM},
        {"send to an address", SYS_sendto, {s->unused, ARG("x"), 1, MSG_FASTOPEN, ARG(to), sizeof *to}, EPERM},
    };
    escape_all(s, rows, sizeof rows / sizeof *rows);
    scene_end();
}

/* What a ring is asked for, no filter sees: the ring itself refuses it, as the library has set it up. */
static void by_a_ring(void)
{
    const struct scene *s = scene_begin(true);
    const struct escape rows[] = {
        {"open in the folder", ESCAPE_RING, {IORING_OP_OPENAT, s->folder, ARG("file")}, EACCES},
        {"an absolute name", ESCAPE_RING, {IORING_OP_OPENAT, AT_FDCWD, ARG("/etc/passwd")}, EACCES},
        {"remove", ESCAPE_RING, {IORING_OP_UNLINKAT, s->folder, ARG("file")}, EACCES},
        {"a socket", ESCAPE_RING, {IORING_OP_SOCKET, AF_INET, 0, 0, SOCK_STREAM}, EACCES},
        {"connect", ESCAPE_RING, {IORING_OP_CONNECT, s->unused, ARG(&s->address), 0, sizeof s->address}, EACCES},
        {"write a file", ESCAPE_RING, {IORING_OP_WRITE, s->file, ARG("x"), 1, 0}, EACCES},
    };
    escape_all(s, rows, sizeof rows / sizeof *rows);
    scene_end();
}

/* Without a ring there is no way to ask for anything by one. */
static void by_a_ring_when_there_is_none(void)
{
    const struct scene *s = scene_begin(false);
    const struct escape rows[] = {
        {"set one up", SYS_io_uring_setup, {4, 0}, EPERM},
        {"enter", SYS_io_uring_enter, {s->ring->fd, 0, 0, 0}, EPERM},
        {"register", SYS_io_uring_register, {s->ring->fd, IORING_REGISTER_ENABLE_RINGS}, EPERM},
    };
    escape_all(s, rows, sizeof rows / sizeof *rows);
    scene_end();
}

/* The other numbering of system calls, which a filter for the usual one would misread. */
static void by_other_numbers(void)
{
#if defined(__x86_64__)
    const struct scene *s = scene_begin(true);
    const struct escape rows[] = {{"x32", 0x40000000 | SYS_getpid, {0}, ESCAPE_KILLED}};
    escape_all(s, rows, 1);
    scene_end();
#endif
}

const struct test_case test_cases[] = {
    {"serving_still_works", serving_still_works},
    {"files_without_a_folder", files_without_a_folder},
    {"files_outside_of_the_folder", files_outside_of_the_folder},
    {"programs_and_processes", programs_and_processes},
    {"the_network", the_network},
    {"by_a_ring", by_a_ring},
    {"by_a_ring_when_there_is_none", by_a_ring_when_there_is_none},
    {"by_other_numbers", by_other_numbers},
    {0},
};
