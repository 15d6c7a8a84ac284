// The Linux calls that Swift's Glibc module leaves out.
#pragma once
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

// Macros that are expressions or enumerators do not reach Swift as plain integers; constants do.
static const unsigned int TROUPE_EPOLLIN = EPOLLIN;
static const unsigned int TROUPE_EPOLLOUT = EPOLLOUT;
static const unsigned int TROUPE_EPOLLERR = EPOLLERR;
static const unsigned int TROUPE_EPOLLHUP = EPOLLHUP;
static const unsigned int TROUPE_EPOLLRDHUP = EPOLLRDHUP;
static const int TROUPE_EFD_FLAGS = EFD_CLOEXEC | EFD_NONBLOCK;
static const int TROUPE_EPOLL_CLOEXEC = EPOLL_CLOEXEC;

// Bytes of its send buffer that a TCP socket has left, bookkeeping included; negative when the kernel does not tell.
static inline long troupe_send_room(int descriptor) {
  unsigned int memory[SK_MEMINFO_VARS] = {0};
  socklen_t size = sizeof memory;
  if (getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, memory, &size) != 0 ||
      size <= SK_MEMINFO_WMEM_QUEUED * sizeof *memory)
    return -1;
  long room = (long)memory[SK_MEMINFO_SNDBUF] - (long)memory[SK_MEMINFO_WMEM_QUEUED];
  return room > 0 ? room : 0;
}

// prctl is variadic, which Swift cannot call. The kernel keeps 15 bytes of the name.
static inline void troupe_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// Declared by glibc for _GNU_SOURCE only, which Swift's importer does not set.
int accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags);

#include <sys/signalfd.h>
static const int TROUPE_SFD_FLAGS = SFD_CLOEXEC | SFD_NONBLOCK;

// Swift 6 takes the global variable for a data race. Nothing of ours writes to it.
extern char **environ;
static inline char **troupe_environment(void) { return environ; }

#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static const int TROUPE_PIPE_FLAGS = O_CLOEXEC | O_NONBLOCK;

// Declared by glibc for _GNU_SOURCE only.
int pipe2(int descriptors[2], int flags);

struct troupe_command {
  const char *program;  // a path
  char *const *arguments;
  char *const *environment;
  const char *folder;  // 0: ours
  int output, error;   // -1: ours; where not, its input is empty
};

// Runs a program in a process group of its own; it dies with the thread that calls this. Returns its pid, and in
// `descriptor` a file descriptor that becomes readable when it has ended; -1 when there is no process.
static inline int troupe_spawn(const struct troupe_command *command, int *descriptor) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    // Only what is safe between fork and exec in a process of many threads.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    // What we ignore, it would ignore, too.
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (command->output >= 0) {
      dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
      dup2(command->output, STDOUT_FILENO);
      dup2(command->error, STDERR_FILENO);
    }
    const int is_there = command->folder == 0 || chdir(command->folder) == 0;
    if (is_there && getppid() == parent) execve(command->program, command->arguments, command->environment);
    _exit(127);
  }
  if (child < 0) return -1;
  *descriptor = (int)syscall(SYS_pidfd_open, child, 0);
  if (*descriptor >= 0) return child;
  // A kernel before 5.3, or a filter of system calls: nobody would hear of its end.
  kill(child, SIGKILL);
  waitpid(child, 0, 0);
  return -1;
}

// Starts a process that waits for our end, however it comes, and then ends the process groups that it was told of: what
// handlers have started would outlive them. Returns the pipe to tell it by (a group's number, or minus that when the
// group has ended); -1 when there is none.
static inline int troupe_start_guard(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    // Only what is safe after a fork in a process of many threads. No Ctrl-C comes here, and nothing of ours stays open.
    setsid();
    prctl(PR_SET_NAME, "troupe-guard", 0, 0, 0);
    dup2(ends[0], 0);
    if (syscall(SYS_close_range, 1u, ~0u, 0) != 0)
      for (int descriptor = 1; descriptor < 65536; descriptor++) close(descriptor);
    int groups[4096], count = 0, message;
    ssize_t size;
    while ((size = read(0, &message, sizeof message)) != 0) {
      if (size != sizeof message) continue;
      if (message > 0 && count < 4096) groups[count++] = message;
      for (int i = 0; message < 0 && i < count; i++)
        if (groups[i] == -message) groups[i--] = groups[--count];
    }
    while (count > 0) kill(-groups[--count], SIGKILL);
    _exit(0);
  }
  close(ends[0]);
  if (child > 0) return ends[1];
  close(ends[1]);
  return -1;
}
