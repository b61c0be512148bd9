/* What both ends of the benchmark written in C share of RFC 6455: the handshake's key, and frames. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/* bytes: the longest header of a frame, mask included */
#define HEADER_MOST 14

/* characters of Sec-WebSocket-Accept, with the final zero */
#define ACCEPT_SIZE 29

static inline void fail(const char *what, const char *detail) {
    fprintf(stderr, "%s%s%s\n", what, *detail ? ": " : "", detail);
    exit(2);
}

static inline void *must(void *memory) {
    if (memory == NULL) fail("out of memory", "");
    return memory;
}

static inline uint32_t rotated(uint32_t value, int by) { return value << by | value >> (32 - by); }

static inline void sha1_block(uint32_t sum[5], const uint8_t *block) {
    uint32_t w[80], a = sum[0], b = sum[1], c = sum[2], d = sum[3], e = sum[4];
    for (int i = 0; i < 16; i++) {
        memcpy(&w[i], block + 4 * i, 4);
        w[i] = be32toh(w[i]);
    }
    for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) f = (b & c) | (~b & d), k = 0x5A827999;
        else if (i < 40) f = b ^ c ^ d, k = 0x6ED9EBA1;
        else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
        else f = b ^ c ^ d, k = 0xCA62C1D6;
        uint32_t next = rotated(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotated(b, 30), b = a, a = next;
    }
    sum[0] += a, sum[1] += b, sum[2] += c, sum[3] += d, sum[4] += e;
}

/* What a server answers to a key of 24 characters (RFC 6455, 4.2.2). */
static inline void accept_of(const char *key, char accept[ACCEPT_SIZE]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t text[128] = {0}, digest[21] = {0};
    uint32_t sum[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    int size = snprintf((char *)text, 64, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    text[size] = 0x80;
    text[126] = (uint8_t)(size * 8 >> 8);
    text[127] = (uint8_t)(size * 8);
    sha1_block(sum, text);
    sha1_block(sum, text + 64);
    for (int i = 0; i < 5; i++) {
        uint32_t word = htobe32(sum[i]);
        memcpy(digest + 4 * i, &word, 4);
    }
    for (int i = 0; i < 7; i++) {
        uint32_t bits = (uint32_t)digest[3 * i] << 16 | digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (int k = 0; k < 4; k++) accept[4 * i + k] = letters[bits >> (18 - 6 * k) & 63];
    }
    accept[27] = '=';
    accept[28] = 0;
}

/* The value of a header in a head that ends with an empty line; NULL if there is none. */
static inline const char *header_of(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            line += length + 1;
            while (*line == ' ') line++;
            return line;
        }
    }
    return NULL;
}

/* A frame's header before its mask; the number of bytes. */
static inline size_t write_header(uint8_t *to, int opcode, size_t size, int masked) {
    to[0] = (uint8_t)(0x80 | opcode);
    uint8_t bit = masked ? 0x80 : 0;
    if (size < 126) {
        to[1] = (uint8_t)(bit | size);
        return 2;
    }
    if (size < 65536) {
        to[1] = bit | 126;
        to[2] = (uint8_t)(size >> 8);
        to[3] = (uint8_t)size;
        return 4;
    }
    uint64_t length = htobe64(size);
    to[1] = bit | 127;
    memcpy(to + 2, &length, 8);
    return 10;
}

struct frame {
    uint8_t first, mask[4], *payload;
    size_t size;
};

/* The bytes of the first frame of some input, its mask left as it is; 0: not all of it is there. */
static inline size_t read_frame(uint8_t *input, size_t have, struct frame *frame) {
    if (have < 2) return 0;
    size_t at = 2, size = input[1] & 0x7F;
    if (size == 126) {
        if (have < 4) return 0;
        size = (size_t)input[2] << 8 | input[3];
        at = 4;
    } else if (size == 127) {
        uint64_t length;
        if (have < 10) return 0;
        memcpy(&length, input + 2, 8);
        size = be64toh(length);
        at = 10;
    }
    if (input[1] & 0x80) {
        if (have < at + 4) return 0;
        memcpy(frame->mask, input + at, 4);
        at += 4;
    }
    if (have - at < size) return 0;
    frame->first = input[0];
    frame->payload = input + at;
    frame->size = size;
    return at + size;
}

static inline void mask_bytes(uint8_t *bytes, size_t size, const uint8_t mask[4]) {
    for (size_t i = 0; i < size; i++) bytes[i] ^= mask[i & 3];
}

#endif
