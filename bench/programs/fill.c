/* Sends envelopes, persistent and confirmed.
 *
 *     fill EXCHANGE ACTOR ROUTE COUNT SIZE FIRST [QUEUE DEPTH]
 *
 * ROUTE is a JSON array, SIZE that of the payload in bytes, FIRST the number of the first one. With QUEUE: no faster
 * than its consumers, so that DEPTH messages wait in it. Exit code 0 when the broker has confirmed all. */
#include "broker.h"
#include "confirms.h"
#include "envelope.h"

enum { WINDOW = 500, WINDOW_BYTES = 8 << 20 };

static amqp_connection_state_t connection;
static struct confirms confirms;

static void wait_until_unconfirmed(uint64_t at_most) {
    while (confirms.published - confirms.settled > at_most) {
        amqp_frame_t frame;
        amqp_maybe_release_buffers(connection);
        if (amqp_simple_wait_frame(connection, &frame) != AMQP_STATUS_OK) fail("connection lost");
        if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
            fail("a message was refused, or no queue takes it");
        amqp_basic_ack_t *ack = frame.payload.method.decoded;
        confirm(&confirms, ack->delivery_tag, ack->multiple);
        settle_confirmed(&confirms);
    }
}

static uint64_t depth(const char *queue) {
    amqp_queue_declare_ok_t *found =
        amqp_queue_declare(connection, 2, amqp_cstring_bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    check(amqp_get_rpc_reply(connection), "the queue");
    return found->message_count;
}

int main(int count, char **arguments) {
    if (count != 7 && count != 9) fail("usage: fill EXCHANGE ACTOR ROUTE COUNT SIZE FIRST [QUEUE DEPTH]");
    uint64_t total = strtoull(arguments[4], NULL, 10), size = strtoull(arguments[5], NULL, 10);
    uint64_t first = strtoull(arguments[6], NULL, 10), full = count == 9 ? strtoull(arguments[8], NULL, 10) : 0;
    uint64_t window = WINDOW * size > WINDOW_BYTES ? WINDOW_BYTES / size + 1 : WINDOW;
    struct envelope envelope = make_envelope(arguments[3], size);
    confirms = make_confirms(window + 1);
    connection = open_channel();
    amqp_channel_open(connection, 2);
    check(amqp_get_rpc_reply(connection), "channel");
    amqp_confirm_select(connection, 1);
    check(amqp_get_rpc_reply(connection), "confirm.select");

    amqp_bytes_t exchange = amqp_cstring_bytes(arguments[1]), key = amqp_cstring_bytes(arguments[2]);
    amqp_basic_properties_t properties = persistent();
    while (confirms.published < total) {
        uint64_t batch = total - confirms.published;
        if (full) {
            uint64_t waiting = depth(arguments[7]), room = waiting < full ? full - waiting : 0;
            if (room < batch) batch = room;
            if (!batch) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        for (; batch > 0; batch--) {
            set_number(&envelope, first + confirms.published);
            amqp_bytes_t body = {.len = envelope.size, .bytes = envelope.bytes};
            if (amqp_basic_publish(connection, 1, exchange, key, 1, 0, &properties, body) != 0) fail("publish");
            confirms.published++;
            wait_until_unconfirmed(window);
        }
        if (full) wait_until_unconfirmed(0);
    }
    wait_until_unconfirmed(0);
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    return 0;
}
