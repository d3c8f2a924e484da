/*
 * Writes an invented spool that has nothing in common with the one of write_spool.c: all requests of one table with
 * their scripts inside, and requests in one file each, whose state is the name of a directory. Prints what it wrote.
 *
 *   write_other DIR
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LE16(x) ((uint16_t)(x))
#define LE32(x) ((uint32_t)(x))
#else
#define LE16(x) __builtin_bswap16((uint16_t)(x))
#define LE32(x) __builtin_bswap32((uint32_t)(x))
#endif

struct __attribute__((packed)) slot {
    uint16_t state; /* 0: free */
    uint16_t uid;
    uint32_t number; /* in network byte order */
    uint32_t minutes; /* since 1980-01-01 */
    uint16_t text_at; /* from the slot's first byte */
    uint16_t text_length;
    char owner[8]; /* blanks fill it */
    struct __attribute__((packed)) {
        char id[6];
        uint16_t weight;
    } after[3];
    char text[256 - 48];
};

struct __attribute__((packed)) job {
    char magic[4];
    uint32_t env_length;
    uint32_t text_at;
    uint16_t bits; /* 0x7 class, 0x8 keep output */
    uint16_t unused;
};

_Static_assert(sizeof(struct slot) == 256, "slot");
_Static_assert(sizeof(struct job) == 16, "job");

static FILE *create(const char *root, const char *where)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, where);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        exit(1);
    }
    return file;
}

static void fill(struct slot *slot, unsigned number, unsigned state, unsigned uid, unsigned minutes, const char *text)
{
    memset(slot, 0, sizeof *slot);
    slot->state = LE16(state);
    slot->uid = LE16(uid);
    slot->number = htonl(number);
    slot->minutes = LE32(minutes);
    memcpy(slot->owner, "bob     ", 8);
    slot->text_at = LE16(48 + 7);
    slot->text_length = LE16(strlen(text));
    memcpy(slot->text + 7, text, strlen(text));
    printf("{\"number\": %u, \"state\": %u, \"uid\": %u, \"minutes\": %u, \"text\": \"%s\"}\n", number, state, uid, minutes,
           text);
}

static void job(const char *root, const char *where, const char *environment, const char *text, unsigned bits)
{
    FILE *file = create(root, where);
    struct job head = {"JOB", LE32(strlen(environment)), LE32(sizeof head + strlen(environment)), LE16(bits), 0};
    fwrite(&head, sizeof head, 1, file);
    fputs(environment, file);
    fputs(text, file);
    fclose(file);
}

int main(int argc, char **argv)
{
    static const char *directories[] = {"table", "jobs", "jobs/wait", "jobs/run", "jobs/hold", "jobs/odd"};
    char path[4096], head[64] = "TABLE OF REQUESTS";
    if (argc != 2)
        return 2;
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        snprintf(path, sizeof path, "%s/%s", argv[1], directories[i]);
        if (mkdir(path, 0700))
            return 1;
    }
    struct slot slots[5];
    fill(&slots[0], 7, 1, 501, 13000000, "date");
    memcpy(slots[0].after[0].id, "5", 1);
    memcpy(slots[0].after[1].id, "sixsix", 6);
    fill(&slots[1], 8, 0, 502, 1, "echo this was deleted");
    fill(&slots[2], 0x01020304, 2, 0, 13000001, "sleep 1");
    fill(&slots[3], 9, 1, 65535, 13000002, "id"); /* (uid_t)-1 */
    fill(&slots[4], 10, 1, 503, 13000003, "id");
    slots[4].text_length = LE16(250); /* leads into what follows */
    FILE *file = create(argv[1], "table/requests.db");
    fwrite(head, sizeof head, 1, file);
    fwrite(slots, sizeof slots, 1, file);
    fclose(file);
    file = create(argv[1], "table/hole.db"); /* one record behind a hole of 20,000 of them */
    fwrite(head, sizeof head, 1, file);
    fseek(file, 20000L * sizeof *slots, SEEK_CUR);
    fill(&slots[0], 77, 1, 501, 13000004, "id");
    fwrite(slots, sizeof *slots, 1, file);
    fclose(file);
    job(argv[1], "jobs/wait/1f.job", "A=1\nB=two words\n", "echo one\n", 0x8 | 2);
    job(argv[1], "jobs/run/ff0.job", "", "echo two\n", 1);
    job(argv[1], "jobs/hold/a.job", "no line\n", "echo three\n", 7);
    job(argv[1], "jobs/odd/b.job", "", "echo four\n", 1);
    job(argv[1], "jobs/wait/1F.job", "", "capital digits are not what the layout has\n", 1);
    return 0;
}
