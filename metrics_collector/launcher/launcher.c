/*
 * The launcher: stands before a trial's command in its container.
 *
 *     launcher --spool DIR [--metric NAME]... -- COMMAND [ARGUMENT]...
 *     launcher --hold -- COMMAND [ARGUMENT]...
 *     launcher --prepare COPY [FILE]...
 *
 * It starts the command as it is, copies both of its streams to its own byte
 * for byte, passes signals on, reaps what is orphaned, and ends as the command
 * does. Lines that may hold a metric are also written into the spool, for the
 * collector beside it. Nothing that goes wrong with the spool reaches the
 * command: at the worst, lines are dropped and counted.
 *
 * It is C, and linked statically, because it runs in images that hold nothing
 * but the user's program.
 *
 * The spool is a folder of segments `000000`, `000001`, ... The collector
 * deletes a segment once the store has all of it. A record is a line:
 *
 *     <seconds>.<microseconds> <1 stdout | 2 stderr> <text>
 *
 * `dropped` counts the records that found no room; `exit` holds the command's
 * exit code, and is written last. A container that is started anew goes on in
 * a segment of its own, and takes `exit` away.
 *
 * `--hold` only becomes the command, the collector, with SIGTERM blocked, so that
 * one that comes early is pending until the collector has its handler. Otherwise it
 * would be lost: the kernel drops a signal to the first process of a container that
 * has no handler for it. It comes early where a pod's main container has ended before
 * its sidecar has started.
 *
 * `--prepare` brings the launcher itself to where the trial's container finds it,
 * and makes the files that the trial's program and the collector both open. A
 * second time changes nothing for a program that is running from there.
 */

#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SEGMENT
#define SEGMENT (512 << 10)      /* bytes, after which the next segment begins */
#define SEGMENTS 128             /* at most so many at a time: 64 MiB */
#define PATIENCE_MS (60 * 1000)  /* how long the command waits for room */
#endif

enum {
    LONGEST = 64 << 10,       /* a line that is longer counts as several */
    CUT_WITHIN = 1024,        /* such a line is cut where a word ends */
    WINDOW = 100,             /* lines after a named one that may be rows of a table */
    HEAD = 64 << 10,          /* bytes of each stream that are always kept, to say what was seen */
    BLOCK = 64 << 10,
};

struct spool {
    int folder;       /* -1: there is none */
    int file;         /* of the newest segment, -1 before it is begun */
    unsigned oldest;  /* segment that may still be there */
    unsigned newest;
    size_t size;      /* of the newest */
    unsigned long dropped;
};

struct stream {
    int from, to;
    char mark;
    char line[LONGEST];
    size_t used;
    size_t head;
    int window;
};

static struct spool spool = {.folder = -1, .file = -1};
static const char **metrics;
static int metric_count;
static int signals;
static pid_t child;
static int ended = -1;  /* wait status of the command */

/* Signals. */

static void reap(void)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == child)
            ended = status;
}

static void pass_signals_on(void)
{
    struct signalfd_siginfo seen;
    while (read(signals, &seen, sizeof seen) == sizeof seen) {
        if (seen.ssi_signo == SIGCHLD)
            reap();
        else if (ended < 0)
            kill(child, (int)seen.ssi_signo);
    }
}

/* Wait until `descriptor` is ready, or for `ms`, and deal with signals meanwhile. */
static bool await(int descriptor, short events, int ms)
{
    struct pollfd watched[] = {{.fd = signals, .events = POLLIN},
                               {.fd = descriptor, .events = events}};
    poll(watched, 2, ms);
    if (watched[0].revents)
        pass_signals_on();
    return watched[1].revents != 0;
}

/* The spool. */

static void note(const char *name, unsigned long number)
{
    if (spool.folder < 0)
        return;
    int file = openat(spool.folder, ".note", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return;
    bool whole = dprintf(file, "%lu\n", number) > 0;
    close(file);
    if (whole)
        renameat(spool.folder, ".note", spool.folder, name);
}

/* Open the spool, behind what an earlier start of the container left in it. */
static void open_spool(const char *path)
{
    spool.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = opendir(path);
    if (spool.folder < 0 || !folder)
        return;
    unlinkat(spool.folder, "exit", 0);
    for (struct dirent *each; (each = readdir(folder));) {
        unsigned number = (unsigned)strtoul(each->d_name, NULL, 10);
        if (isdigit((unsigned char)each->d_name[0]) && number >= spool.newest)
            spool.newest = number + 1;
    }
    closedir(folder);
}

static void segment_name(unsigned number, char name[16])
{
    snprintf(name, 16, "%06u", number);
}

static bool has_room(void)
{
    char name[16];
    while (spool.oldest < spool.newest) {
        segment_name(spool.oldest, name);
        if (faccessat(spool.folder, name, F_OK, 0) == 0)
            break;
        spool.oldest++;
    }
    return spool.newest - spool.oldest < SEGMENTS - 1;
}

/* Begin the next segment; wait for the collector to take one away where there are too many. */
static bool next_segment(void)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (!has_room()) {
        if (spool.dropped)  /* it was waited for once: the command is held up no more */
            return false;
        await(-1, 0, 20);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 > PATIENCE_MS)
            return false;
    }
    char name[16];
    if (spool.file >= 0) {
        close(spool.file);
        spool.newest++;
    }
    segment_name(spool.newest, name);
    spool.file = openat(spool.folder, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    spool.size = 0;
    return spool.file >= 0;
}

static void keep(const struct stream *stream, const char *text, size_t length)
{
    char head[64];
    struct timespec now;
    if (spool.folder < 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    int before = snprintf(head, sizeof head, "%lld.%06ld %c ", (long long)now.tv_sec,
                          now.tv_nsec / 1000, stream->mark);
    struct iovec parts[] = {{head, (size_t)before}, {(char *)text, length}, {"\n", 1}};
    size_t whole = (size_t)before + length + 1;
    bool fits = spool.file >= 0 && spool.size + whole <= SEGMENT;
    if (fits || next_segment()) {
        ssize_t written = writev(spool.file, parts, 3);
        if (written == (ssize_t)whole) {
            spool.size += whole;
            return;
        }
        if (written > 0 && ftruncate(spool.file, (off_t)spool.size) < 0)
            spool.size += (size_t)written;  /* half a record ends the segment */
    }
    note("dropped", ++spool.dropped);
}

/* Lines. */

static bool names_a_metric(const char *text, size_t length)
{
    for (int i = 0; i < metric_count; i++)
        if (memmem(text, length, metrics[i], strlen(metrics[i])))
            return true;
    return false;
}

/* Whether the first word holds a digit: so begin the rows of tables. */
static bool may_be_a_row(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length && (text[at] == ' ' || text[at] == '\t'))
        at++;
    for (; at < length && text[at] != ' ' && text[at] != '\t'; at++)
        if (text[at] >= '0' && text[at] <= '9')
            return true;
    return false;
}

static void take_line(struct stream *stream, const char *text, size_t length)
{
    bool named = names_a_metric(text, length);
    bool row = stream->window > 0 && may_be_a_row(text, length);
    if (named || row)
        stream->window = WINDOW;
    else if (stream->window > 0)
        stream->window--;
    if (named || stream->window > 0 || stream->head > 0)
        keep(stream, text, length);
    stream->head -= length < stream->head ? length : stream->head;
}

/* Take a piece off a line that is too long; what begins within a word begins with `_`. */
static void cut(struct stream *stream)
{
    size_t end = stream->used;
    while (end > stream->used - CUT_WITHIN && !strchr(" ,\t", stream->line[end - 1]))
        end--;
    bool within = end == stream->used - CUT_WITHIN;
    if (within)
        end = stream->used;
    take_line(stream, stream->line, end);
    size_t rest = stream->used - end;
    memmove(stream->line + within, stream->line + end, rest);
    if (within)
        stream->line[0] = '_';
    stream->used = rest + within;
}

static void end_line(struct stream *stream)
{
    if (stream->used)
        take_line(stream, stream->line, stream->used);
    stream->used = 0;
}

static void split(struct stream *stream, const char *data, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        if (data[at] == '\n' || data[at] == '\r') {
            end_line(stream);
            continue;
        }
        if (stream->used == LONGEST)
            cut(stream);
        stream->line[stream->used++] = data[at];
    }
}

/* Streams. */

static void copy(struct stream *stream, const char *data, size_t length)
{
    while (length && stream->to >= 0) {
        if (!await(stream->to, POLLOUT, -1))
            continue;
        /* So much a pipe that is ready takes without making us wait. */
        ssize_t written = write(stream->to, data, length < 4096 ? length : 4096);
        if (written < 0 && errno != EAGAIN && errno != EINTR)
            stream->to = -1;  /* nobody reads any more */
        if (written > 0) {
            data += written;
            length -= (size_t)written;
        }
    }
}

/* Read what has come; false when nothing has. */
static bool take(struct stream *stream)
{
    static char block[BLOCK];
    if (stream->from < 0)
        return false;
    ssize_t length = read(stream->from, block, sizeof block);
    if (length > 0) {
        copy(stream, block, (size_t)length);
        split(stream, block, (size_t)length);
        return true;
    }
    if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(stream->from);
        stream->from = -1;
    }
    return false;
}

/* Start and end. */

static void become(char **command, const sigset_t *mask, int out, int err)
{
    dup2(out, 1);
    dup2(err, 2);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(command[0], command);
    int why = errno;
    dprintf(2, "%s: %s\n", command[0], strerror(why));
    _exit(why == ENOENT ? 127 : 126);
}

static void start(char **command, struct stream streams[2])
{
    int out[2], err[2];
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (signals < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || (child = fork()) < 0) {
        dprintf(2, "%s: %s\n", command[0], strerror(errno));
        exit(126);
    }
    if (child == 0)
        become(command, &before, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    streams[0].from = out[0];
    streams[1].from = err[0];
    for (int i = 0; i < 2; i++)
        fcntl(streams[i].from, F_SETFL, O_NONBLOCK);
}

static int finish(struct stream streams[2])
{
    for (int i = 0; i < 2; i++) {
        while (take(&streams[i]))
            ;
        end_line(&streams[i]);
    }
    int code = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
    note("exit", (unsigned long)code);
    return code;
}

static void fail(const char *name)
{
    dprintf(2, "%s: %s\n", name, strerror(errno));
    exit(1);
}

static char **options(int count, char **words)
{
    int at = 1;
    metrics = calloc((size_t)count, sizeof *metrics);  /* room for more than are named */
    if (!metrics)
        fail(words[0]);
    for (; at + 1 < count && strcmp(words[at], "--"); at += 2) {
        if (!strcmp(words[at], "--spool"))
            open_spool(words[at + 1]);
        else if (!strcmp(words[at], "--metric"))
            metrics[metric_count++] = words[at + 1];
        else
            break;
    }
    if (at + 1 >= count || strcmp(words[at], "--")) {
        dprintf(2, "usage: launcher --spool DIR [--metric NAME]... -- COMMAND [ARGUMENT]...\n");
        exit(2);
    }
    return words + at + 1;
}

static void hold(char **command)
{
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, SIGTERM);
    sigprocmask(SIG_BLOCK, &told, NULL);
    execvp(command[0], command);
    dprintf(2, "%s: %s\n", command[0], strerror(errno));
    exit(126);
}

/* Write the copy beside its place first: what is being run cannot be written. */
static void copy_to(const char *path)
{
    char half[PATH_MAX];
    struct stat self;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    snprintf(half, sizeof half, "%s.half", path);
    int to = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (from < 0 || to < 0 || fstat(from, &self) < 0)
        fail(path);
    for (off_t left = self.st_size; left > 0;) {
        ssize_t copied = sendfile(to, from, NULL, (size_t)left);
        if (copied <= 0)
            fail(path);
        left -= copied;
    }
    if (fchmod(to, 0755) < 0 || close(to) < 0 || rename(half, path) < 0)
        fail(path);
}

static void make(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0 || fchmod(file, 0666) < 0)
        fail(path);
    close(file);
}

static int prepare(char **words)
{
    copy_to(*words++);
    while (*words)
        make(*words++);
    return 0;
}

int main(int count, char **words)
{
    if (count > 2 && !strcmp(words[1], "--prepare"))
        return prepare(words + 2);
    if (count > 3 && !strcmp(words[1], "--hold"))
        hold(words + 3);
    char **command = options(count, words);
    static struct stream streams[] = {{.to = 1, .mark = '1', .head = HEAD},
                                      {.to = 2, .mark = '2', .head = HEAD}};
    start(command, streams);
    while (ended < 0) {
        struct pollfd watched[] = {{.fd = signals, .events = POLLIN},
                                   {.fd = streams[0].from, .events = POLLIN},
                                   {.fd = streams[1].from, .events = POLLIN}};
        poll(watched, 3, -1);
        for (int i = 0; i < 2; i++)
            if (watched[i + 1].revents)
                take(&streams[i]);
        if (watched[0].revents)
            pass_signals_on();
    }
    return finish(streams);
}
