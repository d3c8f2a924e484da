/*
 * Writes a spool of C structures, as a batch system of the NQS family would, and prints what it wrote: one JSON object
 * per line, texts in hex. The structures are invented; they have what such systems have. Compiled with
 *
 *   -DLONG_BITS=32|64   the width of C's long on the old machine
 *   -DSWAP=0|1          whether its byte order is the other one
 *   -DALIGN64=4|8       how it aligns a 64-bit member (i386: 4)
 *
 *   write_spool layout            size of each structure and offset of each member
 *   write_spool spool DIR COUNT   a spool in the empty directory DIR, with COUNT more requests
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if LONG_BITS == 32
typedef int32_t old_long;
typedef uint32_t old_ulong;
#else
typedef int64_t old_long;
typedef uint64_t old_ulong;
#endif
typedef int64_t old_llong __attribute__((aligned(ALIGN64)));

static uint64_t swapped(uint64_t value, size_t size)
{
    if (!SWAP)
        return value;
    switch (size) {
    case 2:
        return __builtin_bswap16((uint16_t)value);
    case 4:
        return __builtin_bswap32((uint32_t)value);
    case 8:
        return __builtin_bswap64(value);
    }
    return value;
}

/* Assign a number to a member in the old machine's byte order. */
#define PUT(member, value) ((member) = (__typeof__(member))swapped((uint64_t)(value), sizeof(member)))
/* strncpy as such systems use it: no NUL where the text fills its place. */
#define TEXT(member, text) strncpy((member), (text), sizeof(member))

enum { QUEUE = 1, COMPLEX = 2, DEVICE = 3, BLOCK = 1024 };

struct descriptor {
    old_long size; /* negative: free */
    int16_t type;
};

struct queue {
    old_long size;
    int16_t type;
    char q_name[16];
    int16_t q_priority;
    uint16_t q_flags; /* 1 enabled, 2 started, 4 pipe queues only, 8 pipe queue, 16 access list */
    int32_t q_runlimit;
    int32_t q_restart;
    int16_t q_ndest;
    char q_dest[4][16];
    int32_t q_nusers;
    uint32_t q_users[4];
    old_long q_cpu; /* seconds; -1: unlimited */
};

struct complex {
    old_long size;
    int16_t type;
    char c_name[16];
    int32_t c_runlimit;
    char c_queues[4][16];
};

struct manager {
    char m_name[16];
    int32_t m_privilege;
};

struct header {
    int32_t magic;
    old_long seqno;
    old_ulong machine;
    int16_t kind; /* 1 batch, 2 device */
    int16_t status;
    uint32_t uid;
    uint16_t gid;
    char user[12];
    char queue[16];
    char reqname[16];
    uint16_t flags; /* 1 mail at begin, 2 at end, 4 not restartable, 8 operator's hold, 16 output joined */
    old_llong account;
    old_long created;
    old_long after_time;
    int16_t priority;
    uint16_t mask;
    char workdir[64];
    char shell[32];
    char host[24]; /* blanks fill it */
    char out[64];
    char err[64];
    uint32_t limits_set; /* 1 cpu, 2 memory */
    old_long cpu;
    old_long cpu_warn;
    int32_t memory;
    int16_t memory_unit; /* 1 bytes, 2 kilobytes, 3 megabytes */
    old_long env_bytes;
    char mail_to[16];
    old_long waits_for[3];
};

static const char *root;
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void write_file(const char *where, const void *data, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, where);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd))
        fail(path);
}

static void make_directory(const char *where)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, where);
    if (mkdir(path, 0700))
        fail(path);
}

static void hex(const char *key, const void *data, size_t size)
{
    printf(", \"%s\": \"", key);
    for (size_t i = 0; i < size; i++)
        printf("%02x", ((const unsigned char *)data)[i]);
    printf("\"");
}

static void number(const char *key, long long value)
{
    printf(", \"%s\": %lld", key, value);
}

static void pack(char *to, uint64_t value, int characters)
{
    for (int i = characters; i-- > 0; value /= 64)
        to[i] = digits[value % 64];
    to[characters] = 0;
}

/* --- queues ------------------------------------------------------------------------------- */

static char table[8 * BLOCK];
static size_t used;

/* Room for a descriptor, which does not cross a block. */
static void *room(size_t size)
{
    size = (size + 7) / 8 * 8;
    if (used % BLOCK + size > BLOCK)
        used = (used + BLOCK - 1) / BLOCK * BLOCK;
    void *at = table + used;
    used += size;
    return at;
}

static struct queue *add_queue(const char *name, int priority, int flags, int run_limit, int restart, long long cpu)
{
    struct queue *q = room(sizeof *q);
    PUT(q->size, (sizeof *q + 7) / 8 * 8);
    PUT(q->type, QUEUE);
    TEXT(q->q_name, name);
    PUT(q->q_priority, priority);
    PUT(q->q_flags, flags);
    PUT(q->q_runlimit, run_limit);
    PUT(q->q_restart, restart);
    PUT(q->q_cpu, cpu);
    return q;
}

static void tell_queue(const char *name, int priority, int flags, int run_limit, int restart, long long cpu, int dests,
                       int users)
{
    printf("{\"what\": \"queue\"");
    hex("name", name, strlen(name));
    number("priority", priority);
    number("flags", flags);
    number("run_limit", run_limit);
    number("restart", restart);
    number("cpu", cpu);
    number("destinations", dests);
    number("users", users);
    printf("}\n");
}

static void queues(void)
{
    add_queue("batch", 31, 1 | 2, 4, 0, 3600);
    tell_queue("batch", 31, 3, 4, 0, 3600, 0, 0);

    struct queue *q = add_queue("p\xe9pe", 63, 1 | 2 | 4 | 8, 9, 1, -1);
    PUT(q->q_ndest, 2);
    TEXT(q->q_dest[0], "batch");
    TEXT(q->q_dest[1], "night");
    tell_queue("p\xe9pe", 63, 15, 9, 1, -1, 2, 0);

    /* A free one, as if a queue was deleted: what is in it is no queue. */
    q = add_queue("deleted", 1, 3, 1, 0, 0);
    PUT(q->size, -(long long)((sizeof *q + 7) / 8 * 8));

    q = add_queue("night", 0, 1 | 16, 100000, 2, 0);
    PUT(q->q_nusers, 3);
    PUT(q->q_users[0], 501);
    PUT(q->q_users[1], 0);
    PUT(q->q_users[2], 4000000000u);
    tell_queue("night", 0, 17, 100000, 2, 0, 0, 3);

    struct complex *c = room(sizeof *c);
    PUT(c->size, (sizeof *c + 7) / 8 * 8);
    PUT(c->type, COMPLEX);
    TEXT(c->c_name, "both");
    PUT(c->c_runlimit, 5);
    TEXT(c->c_queues[0], "batch");
    TEXT(c->c_queues[1], "night");
    printf("{\"what\": \"complex\", \"run_limit\": 5");
    hex("name", "both", 4);
    printf("}\n");

    struct descriptor *d = room(40);
    PUT(d->size, 40);
    PUT(d->type, DEVICE);
    printf("{\"what\": \"device\"}\n");

    /* Values that no queue can have; the name fills its place. */
    q = add_queue("bad", 64, 1 | 2, -1, 9, -5);
    tell_queue("bad", 64, 3, -1, 9, -5, 0, 0);
    q = add_queue("sixteen-letters-", 1, 3, 1, 0, 0);
    printf("{\"what\": \"unnamed queue\"}\n");
    q = add_queue("batch", 2, 3, 1, 0, 0);
    printf("{\"what\": \"second queue\"}\n");

    used = (used + BLOCK - 1) / BLOCK * BLOCK;
    d = room(16);
    PUT(d->size, 5000); /* goes on behind its block */
    printf("{\"what\": \"broken block\"}\n");
    used = (used + BLOCK - 1) / BLOCK * BLOCK;
    add_queue("last", 2, 3, 1, 0, 0);
    tell_queue("last", 2, 3, 1, 0, 0, 0, 0);
    used = (used + BLOCK - 1) / BLOCK * BLOCK;
    write_file("database/queues", table, used);

    struct manager managers[3] = {{{0}, 0}};
    TEXT(managers[0].m_name, "root");
    PUT(managers[0].m_privilege, 1);
    TEXT(managers[1].m_name, "oper");
    PUT(managers[1].m_privilege, 2);
    TEXT(managers[2].m_name, "odd");
    PUT(managers[2].m_privilege, 77);
    /* The file breaks off in a fourth. */
    char file[sizeof managers + 5];
    memcpy(file, managers, sizeof managers);
    memset(file + sizeof managers, 'x', 5);
    write_file("database/managers", file, sizeof file);
    write_file("database/seqno", "", 0);
    char path[4096];
    snprintf(path, sizeof path, "%s/database/seqno", root);
    struct timespec times[2] = {{4711, 0}, {4711, 0}};
    if (utimensat(AT_FDCWD, path, times, 0))
        fail(path);
}

/* --- requests ----------------------------------------------------------------------------- */

static struct header h;
static char environment[4096];
static size_t environment_size;

static void variable(const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(environment + environment_size, text, size);
    environment_size += size;
    PUT(h.env_bytes, environment_size);
}

static void plain(long long seqno)
{
    memset(&h, 0, sizeof h);
    environment_size = 0;
    PUT(h.magic, 0x4e515332);
    PUT(h.seqno, seqno);
    PUT(h.machine, 3);
    PUT(h.kind, 1);
    PUT(h.status, 1);
    PUT(h.uid, 501);
    PUT(h.gid, 100);
    TEXT(h.user, "alice");
    TEXT(h.queue, "batch");
    TEXT(h.reqname, "job");
    PUT(h.created, 1000000000 + seqno % 1000000);
    PUT(h.priority, 31);
    PUT(h.mask, 022);
    TEXT(h.workdir, "/home/alice");
    memset(h.host, ' ', sizeof h.host);
    memcpy(h.host, "oldhost", 7);
    variable("HOME=/home/alice");
    variable("LANG=C");
}

static void names(long long seqno, const char *base, int file, char *to)
{
    char seq[8], machine[8], number_text[8] = "";
    pack(seq, (uint64_t)seqno, 5);
    pack(machine, 3, 6);
    if (file >= 0)
        pack(number_text, (uint64_t)file, 3);
    sprintf(to, "%s/%lld/%s%s%s", base, seqno % 4, seq, machine, number_text);
}

/* Write the control file, of `size` bytes where that is not -1. */
static void control(long long seqno, long size)
{
    static char file[sizeof h + sizeof environment];
    char where[256];
    memcpy(file, &h, sizeof h);
    memcpy(file + sizeof h, environment, environment_size);
    names(seqno, "control", -1, where);
    write_file(where, file, size >= 0 ? (size_t)size : sizeof h + environment_size);
}

static void data(long long seqno, int file, const void *script, size_t size)
{
    char where[256];
    names(seqno, "data", file, where);
    write_file(where, script, size);
}

static void tell(long long seqno, const char *expect, const char *script, size_t size)
{
    char where[256];
    names(seqno, "control", -1, where);
    printf("{\"what\": \"request\", \"seqno\": %lld, \"where\": \"%s\", \"expect\": \"%s\"", seqno, where, expect);
    hex("script", script, size);
    hex("environment", environment, environment_size);
#define SAY_TEXT(member) hex(#member, h.member, strnlen(h.member, sizeof h.member))
#define SAY(member, type) number(#member, (type)swapped((uint64_t)h.member, sizeof h.member))
    SAY_TEXT(user), SAY_TEXT(queue), SAY_TEXT(reqname), SAY_TEXT(workdir), SAY_TEXT(shell), SAY_TEXT(host);
    SAY_TEXT(out), SAY_TEXT(err), SAY_TEXT(mail_to);
    SAY(kind, int16_t), SAY(status, int16_t), SAY(uid, uint32_t), SAY(gid, uint16_t), SAY(flags, uint16_t);
    SAY(created, old_long), SAY(after_time, old_long), SAY(priority, int16_t), SAY(mask, uint16_t);
    SAY(limits_set, uint32_t), SAY(cpu, old_long), SAY(cpu_warn, old_long), SAY(memory, int32_t);
    SAY(memory_unit, int16_t);
    number("waits_for", (old_long)swapped((uint64_t)h.waits_for[0], sizeof h.waits_for[0]));
    printf("}\n");
}

#define SCRIPT "#!/bin/sh\necho it ran\n"

/* A whole request with the header as it stands now. */
static void request(long long seqno, const char *expect)
{
    control(seqno, -1);
    data(seqno, 0, SCRIPT, strlen(SCRIPT));
    tell(seqno, expect, SCRIPT, strlen(SCRIPT));
}

static void good_requests(void)
{
    plain(1);
    request(1, "same");

    plain(2);
    static const char bytes[] = "printf '\xff\xfe\r\n'\n# no newline at the end";
    TEXT(h.reqname, "na\xefve \n'$;");
    PUT(h.flags, 1 | 2 | 4 | 8 | 16);
    PUT(h.status, 3);
    PUT(h.after_time, 2000000000);
    TEXT(h.shell, "/bin/ksh");
    TEXT(h.out, "/tmp/out");
    TEXT(h.err, "/tmp/err");
    TEXT(h.mail_to, "bob@oldhost");
    PUT(h.limits_set, 1 | 2);
    PUT(h.cpu, 600);
    PUT(h.cpu_warn, 500);
    PUT(h.memory, 64);
    PUT(h.memory_unit, 3);
    PUT(h.waits_for[0], 1);
    variable("ODD=\xff=\n;");
    control(2, -1);
    data(2, 0, bytes, sizeof bytes - 1);
    tell(2, "same", bytes, sizeof bytes - 1);

    plain(3);
    PUT(h.status, 2);
    PUT(h.priority, 63);
    PUT(h.mask, 077);
    PUT(h.uid, 4000000000u);
    TEXT(h.reqname, "sixteen-letters-");
    request(3, "same");

    plain(1073741823); /* the greatest that five digits hold */
    PUT(h.status, 4);
    PUT(h.limits_set, 1);
    PUT(h.cpu, -1);
    request(1073741823, "same");
}

static void doubtful_requests(void)
{
    long long seq = 100;
#define DOUBT(expect, ...) plain(++seq), __VA_ARGS__, request(seq, expect)
    DOUBT("note submitted_s", PUT(h.created, -1));           /* one second before 1970 */
    DOUBT("note submitted_s", PUT(h.created, INT32_MIN));    /* 1901 */
    DOUBT("same", PUT(h.created, 0));                        /* not told */
    DOUBT("held due_s", PUT(h.after_time, INT32_MIN));
    DOUBT("held due_s", PUT(h.after_time, LONG_BITS == 64 ? 4294967295LL : -2)); /* 2106, where it fits */
    DOUBT("note priority", PUT(h.priority, -3));
    DOUBT("held umask", PUT(h.mask, 07777));
    DOUBT("held workdir", memset(h.workdir, 'w', sizeof h.workdir), memcpy(h.workdir, "/", 1));
    DOUBT("held workdir", TEXT(h.workdir, "not/absolute"));
    DOUBT("held limit cpu_process", PUT(h.limits_set, 1), PUT(h.cpu, -7));
    DOUBT("held limit memory_process", PUT(h.limits_set, 2), PUT(h.memory, 1), PUT(h.memory_unit, 9));
    DOUBT("held environment", PUT(h.env_bytes, 1000000));
    DOUBT("held environment", variable("no-equals"));
    DOUBT("held environment", variable(""), variable("BEHIND=the end"));
    DOUBT("skip state", PUT(h.status, 99));
    DOUBT("skip uid", PUT(h.uid, 4294967295u));
    DOUBT("skip user", memset(h.user, 'u', sizeof h.user));
    DOUBT("skip queue", memset(h.queue, 0, sizeof h.queue));
    DOUBT("skip a device", PUT(h.kind, 2));
    DOUBT("skip magic", PUT(h.magic, 0x32535151));
    DOUBT("skip seq is", PUT(h.seqno, -1));                  /* a number that wrapped */
    DOUBT("skip seq is", PUT(h.seqno, 1));
    DOUBT("skip it had ended", PUT(h.status, 5));
}

static void broken_files(void)
{
    char where[256], target[4096];
    long long seq = 200;

    plain(++seq); /* control without data */
    control(seq, -1);
    tell(seq, "skip script", "", 0);

    plain(++seq); /* empty script */
    control(seq, -1);
    data(seq, 0, "", 0);
    tell(seq, "skip script", "", 0);

    plain(++seq); /* a hole in place of the script */
    control(seq, -1);
    data(seq, 0, "", 0);
    names(seq, "data", 0, where);
    snprintf(target, sizeof target, "%s/%s", root, where);
    if (truncate(target, 8192))
        fail(target);
    tell(seq, "skip script", "", 0);

    plain(++seq); /* terabytes of hole */
    control(seq, -1);
    data(seq, 0, "", 0);
    names(seq, "data", 0, where);
    snprintf(target, sizeof target, "%s/%s", root, where);
    if (truncate(target, 1LL << 40))
        fail(target);
    tell(seq, "skip script", "", 0);

    plain(++seq); /* an empty control file, a truncated one, one of terabytes */
    control(seq, 0);
    data(seq, 0, SCRIPT, strlen(SCRIPT));
    tell(seq, "skip it is empty", "", 0);
    plain(++seq);
    control(seq, sizeof h - 1);
    data(seq, 0, SCRIPT, strlen(SCRIPT));
    tell(seq, "skip it has", "", 0);
    plain(++seq);
    control(seq, 0);
    data(seq, 0, SCRIPT, strlen(SCRIPT));
    names(seq, "control", -1, where);
    snprintf(target, sizeof target, "%s/%s", root, where);
    if (truncate(target, 1LL << 40))
        fail(target);
    tell(seq, "skip it has", "", 0);

    plain(++seq); /* a link to a whole control file */
    names(seq, "control", -1, where);
    snprintf(target, sizeof target, "%s/%s", root, where);
    if (symlink("../1/00001000003", target))
        fail(target);
    data(seq, 0, SCRIPT, strlen(SCRIPT));
    tell(seq, "skip it is a symbolic link", "", 0);

    data(299, 0, SCRIPT, strlen(SCRIPT)); /* data without control */
    names(299, "data", 0, where);
    printf("{\"what\": \"file\", \"where\": \"%s\"}\n", where);
    data(1, 1, "more", 4); /* a second data file of the first request */
    names(1, "data", 1, where);
    printf("{\"what\": \"file\", \"where\": \"%s\"}\n", where);
    write_file("control/0/short", "x", 1);
    printf("{\"what\": \"file\", \"where\": \"control/0/short\"}\n");
    make_directory("gui");
    write_file("gui/network", "x", 1);
    printf("{\"what\": \"file\", \"where\": \"gui\"}\n");
    plain(1); /* the first request's control file again, in another directory */
    static char file[sizeof h];
    memcpy(file, &h, sizeof h);
    write_file("control/2/00001000003", file, sizeof h);
    printf("{\"what\": \"second request\", \"where\": \"control/2/00001000003\"}\n");
}

static void layout(void)
{
#define SIZE(type) printf("%s %zu\n", #type, sizeof(struct type))
#define AT(type, member) printf("%s.%s %zu\n", #type, #member, offsetof(struct type, member))
    SIZE(descriptor), AT(descriptor, size), AT(descriptor, type);
    SIZE(queue), AT(queue, q_name), AT(queue, q_priority), AT(queue, q_flags), AT(queue, q_runlimit);
    AT(queue, q_restart), AT(queue, q_ndest), AT(queue, q_dest), AT(queue, q_nusers), AT(queue, q_users);
    AT(queue, q_cpu);
    SIZE(complex), AT(complex, c_name), AT(complex, c_runlimit), AT(complex, c_queues);
    SIZE(manager), AT(manager, m_name), AT(manager, m_privilege);
    SIZE(header), AT(header, magic), AT(header, seqno), AT(header, machine), AT(header, kind), AT(header, status);
    AT(header, uid), AT(header, gid), AT(header, user), AT(header, queue), AT(header, reqname), AT(header, flags);
    AT(header, created), AT(header, after_time), AT(header, priority), AT(header, mask), AT(header, workdir);
    AT(header, shell), AT(header, host), AT(header, out), AT(header, err), AT(header, limits_set), AT(header, cpu);
    AT(header, cpu_warn), AT(header, memory), AT(header, memory_unit), AT(header, env_bytes), AT(header, mail_to);
    AT(header, waits_for);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "layout")) {
        layout();
        return 0;
    }
    if (argc != 4)
        return 2;
    root = argv[2];
    static const char *directories[] = {"database", "control", "control/0", "control/1", "control/2", "control/3",
                                        "data", "data/0", "data/1", "data/2", "data/3", "output", "database_qo"};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        make_directory(directories[i]);
    queues();
    good_requests();
    doubtful_requests();
    broken_files();
    for (long long seq = 10000; seq < 10000 + atoll(argv[3]); seq++) {
        plain(seq);
        control(seq, -1);
        data(seq, 0, SCRIPT, strlen(SCRIPT));
    }
    return 0;
}
