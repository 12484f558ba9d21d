/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets: what a hook does with them (netfilter.c), and what the halves of the packet object share: Lua's
 * (packet.c, packet_methods.c), the kernel's (src/kapi/packet.c, src/kapi/stolen.c) and Rust's (packet.rs).
 *
 * A packet is lent to a script for one callback, or stolen: then it is the object's own. Context: under the state's
 * lock, bottom halves off. Only struct lunatik_packet and plain C cross between the halves; the kernel's neither raises
 * nor knows of Lua. Addresses into a packet are good until one of the functions that may move its bytes is called.
 */
#ifndef LUNATIK_PACKET_H
#define LUNATIK_PACKET_H

struct lua_State;
struct lunatik_netns;

/* --- for hooks ----------------------------------------------------------------------------------------------------- */

/* Once a state, when netfilter is required: makes the metatable, the global `packet` and the library `conn`. May raise. */
int lunatik_open_packet(struct lua_State *L);

/*
 * Pushes an object that lends the struct sk_buff and the struct nf_hook_state for the callback; returns its handle. The
 * caller keeps it on a stack until it is withdrawn. May raise, only for want of memory.
 */
void *lunatik_packet_new(struct lua_State *L, void *skb, const void *hook);

/* Has an object that was withdrawn, and was never stolen, lend another packet. Never raises. */
void lunatik_packet_renew(void *handle, void *skb, const void *hook);

/* The callback is over: the object is closed unless it was stolen. Never raises. */
void lunatik_packet_withdraw(void *handle);

/*
 * The verdict is "stolen": the object has a packet of its own from now on, with the same bytes. The caller's skb stays the
 * caller's, who frees it (consume_skb) when it has left the lock, and returns NF_STOLEN. 0, or a negative errno and nothing
 * was done: -ENOBUFS when the state holds as much as `queuebytes` says, -ENOMEM, -EOPNOTSUPP where a packet cannot go on
 * later, -ENETDOWN when the namespace goes. Never raises.
 */
int lunatik_packet_steal(void *handle);

/* --- the names of fields (src/libs/packet/names.rs) ----------------------------------------------------------------- */

struct lunatik_field {
	unsigned long long low, high;
	unsigned int mask;
	unsigned short need;
	unsigned char op, base;
	unsigned char offset[2], shift[2];
	unsigned char write;
};

#define LUNATIK_FIELDS	256
extern const struct lunatik_field lunatik_packet_fields[LUNATIK_FIELDS];
extern const unsigned long long lunatik_packet_multiplier;

enum lunatik_field_op {
	LUNATIK_FIELD_NONE,
	LUNATIK_FIELD_INT,
	LUNATIK_FIELD_FLAG,
	LUNATIK_FIELD_LEN,
	LUNATIK_FIELD_META,
	LUNATIK_FIELD_NAME,
	LUNATIK_FIELD_ADDRESS,
	LUNATIK_FIELD_BYTES,
	LUNATIK_FIELD_ETHER,
	LUNATIK_FIELD_ADDRESS4,
	LUNATIK_FIELD_METHOD,
};

enum lunatik_packet_write {
	LUNATIK_WRITE_NO,
	LUNATIK_WRITE_MARK,
	LUNATIK_WRITE_PRIORITY,
	LUNATIK_WRITE_SADDR,
	LUNATIK_WRITE_DADDR,
	LUNATIK_WRITE_SPORT,
	LUNATIK_WRITE_DPORT,
	LUNATIK_WRITE_TTL,
	LUNATIK_WRITE_TOS,
	LUNATIK_WRITE_SADDR_N,
	LUNATIK_WRITE_DADDR_N,
};

/* --- where the headers lie (src/libs/packet/layout.rs) -------------------------------------------------------------- */

enum lunatik_has {
	LUNATIK_HAS_IP4 = 1,
	LUNATIK_HAS_IP6 = 2,
	LUNATIK_HAS_ARP = 4,
	LUNATIK_HAS_IP = 8,
	LUNATIK_HAS_PROTOCOL = 16,
	LUNATIK_HAS_PORTS = 32,
	LUNATIK_HAS_TCP = 64,
	LUNATIK_HAS_UDP = 128,
	LUNATIK_HAS_ICMP = 256,
	LUNATIK_HAS_ECHO = 512,
	LUNATIK_HAS_PAYLOAD = 1024,
	LUNATIK_HAS_FRAGMENT = 2048,
	LUNATIK_HAS_VLAN = 4096,
	LUNATIK_HAS_ETHER = 8192,
	LUNATIK_HAS_LOOKED = 16384,
};

enum lunatik_computed {
	LUNATIK_IS_PROTOCOL,
	LUNATIK_IS_PAYLOAD,
	LUNATIK_IS_PAYLOAD_LEN,
	LUNATIK_IS_FRAG_OFF,
	LUNATIK_IS_MF,
	LUNATIK_IS_ID,
	LUNATIK_IS_VLAN_TCI,
	LUNATIK_IS_VLAN_PROTO,
	LUNATIK_IS_ETHERTYPE,
	LUNATIK_IS_FRAGMENT,
	LUNATIK_COMPUTED,
};

struct lunatik_layout {
	unsigned int has;	/* enum lunatik_has */
	unsigned int wants;	/* so many bytes from the beginning would tell more; 0: these are enough */
	unsigned int l3, l4;	/* offsets: of the network header, and of the transport header from there */
	unsigned char computed[LUNATIK_COMPUTED][4];	/* big-endian */
};

/*
 * `head` is the beginning of a packet of `len` bytes, its network header of type `ethertype`; `jumbo`: a length of 0 in it
 * may mean more than it can say.
 */
void lunatik_packet_parse(const unsigned char *head, __SIZE_TYPE__ head_len, __SIZE_TYPE__ len, unsigned short ethertype,
			  int jumbo, struct lunatik_layout *out);

static inline unsigned int lunatik_computed(const struct lunatik_layout *layout, int which)
{
	const unsigned char *b = layout->computed[which];

	return (unsigned int)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

/* --- the object, and what the kernel's half does with it ------------------------------------------------------------ */

enum lunatik_base { LUNATIK_BASE_NET, LUNATIK_BASE_TRANSPORT, LUNATIK_BASE_MAC, LUNATIK_BASE_COMPUTED, LUNATIK_BASES };

struct lunatik_packet {
	void *skb;		/* struct sk_buff; NULL: closed */
	const void *hook;	/* struct nf_hook_state of a packet that is lent */
	void *stolen;		/* struct lunatik_stolen of one that is stolen */
	void *store;		/* what the state steals, struct lunatik_store */
	void *vm;		/* struct lunatik_vm */
	void *frame;		/* the memory that frame() returned; kept by the user value */
	unsigned int len;	/* bytes from the network header on */
	const unsigned char *base[LUNATIK_BASES];
	struct lunatik_layout layout;	/* `has` 0: it was not looked at yet */
};

/* Finds the headers: fills in base, len and layout. It may move the packet's bytes. */
void lunatik_packet_look(struct lunatik_packet *p);

enum lunatik_meta {
	LUNATIK_META_MARK,
	LUNATIK_META_PRIORITY,
	LUNATIK_META_IIF,
	LUNATIK_META_OIF,
	LUNATIK_META_HOOKNUM,
	LUNATIK_META_CTMARK,
};
/* 1 if the packet has it. */
int lunatik_packet_meta(const struct lunatik_packet *p, unsigned int which, unsigned int *value);

enum lunatik_word {
	LUNATIK_WORD_INDEV,
	LUNATIK_WORD_OUTDEV,
	LUNATIK_WORD_HOOK,
	LUNATIK_WORD_DIRECTION,
	LUNATIK_WORD_PKTTYPE,
	LUNATIK_WORD_CTSTATE,
	LUNATIK_WORD_FAMILY,
};
#define LUNATIK_WORD_SIZE	24
/* The word, constant or in `buf` of LUNATIK_WORD_SIZE bytes; NULL if the packet has none. */
const char *lunatik_packet_word(const struct lunatik_packet *p, unsigned int which, char *buf);

/* An address of 4 or 16 bytes as text of at most LUNATIK_ADDRESS_SIZE bytes with its terminator; its length. */
#define LUNATIK_ADDRESS_SIZE	48
int lunatik_address_text(const unsigned char *bytes, int six, char *text);
/* The reverse: 1 if `text` of `len` bytes is such an address, whole. */
int lunatik_address_parse(const char *text, __SIZE_TYPE__ len, int six, unsigned char *bytes);

/*
 * Writes a field, with the checksums that cover it: `value`, or for addresses the 4 or 16 `bytes`. 0, -ENODATA when the packet
 * has no such field, -EOPNOTSUPP when a checksum cannot be mended, -ENOMEM, -EBUSY when the packet is shared. The bytes may
 * move.
 */
int lunatik_packet_write(struct lunatik_packet *p, enum lunatik_packet_write what, unsigned int value, const unsigned char *bytes);

/*
 * Writes `len` bytes at `offset` from the network header. As above; -EINVAL where there is a header, or the packet ends. What a
 * checksum covers is mended.
 */
int lunatik_packet_set(struct lunatik_packet *p, unsigned int offset, const char *bytes, unsigned int len);

/* Makes the packet one run of bytes, and with `write` its own. 0, -ENOMEM or -EBUSY. */
int lunatik_packet_linear(struct lunatik_packet *p, int write);
/* Of a packet that is one run of bytes: the whole, from the MAC header on if it has one. */
unsigned char *lunatik_packet_frame(const struct lunatik_packet *p, __SIZE_TYPE__ *len);
/* Copies `len` bytes at `offset` from the network header; they are there. */
int lunatik_packet_copy(const struct lunatik_packet *p, unsigned int offset, char *to, unsigned int len);

struct lunatik_packet_facts {
	int len, data_len, users, cloned, dataref, frags;
};
void lunatik_packet_facts(const struct lunatik_packet *p, struct lunatik_packet_facts *facts);

/* The identity of its connection; 0 if it has none. */
unsigned int lunatik_packet_connid(const struct lunatik_packet *p);

/* --- stolen packets (src/kapi/stolen.c) ------------------------------------------------------------------------------ */

/* What a state steals; NULL when memory is out or its namespace goes. Freed when the last packet is. */
void *lunatik_store_new(struct lunatik_netns *netns);
void lunatik_store_close(void *store);

int lunatik_stolen_take(struct lunatik_packet *p);
/* The packet goes, soon. Never sleeps. */
void lunatik_stolen_drop(struct lunatik_packet *p);

/* A stolen packet on its way out. */
struct lunatik_sending {
	void *stolen;
	int err;
};
/* Takes it from the object, which is closed then. */
void *lunatik_stolen_detach(struct lunatik_packet *p);
/* Sends it now, in process context: `arg` is a struct lunatik_sending. */
void lunatik_stolen_send(void *arg);
/* Sends it soon. Any context. */
void lunatik_stolen_send_later(void *stolen);

/* Replaces the TCP payload of a stolen packet. 0, -ENODATA, -EMSGSIZE, -ENOMEM, -EBUSY. */
int lunatik_stolen_payload(struct lunatik_packet *p, const char *bytes, unsigned int len);

/* Answers a TCP packet with a segment to its sender; sent soon. 0 or a negative errno. */
int lunatik_packet_tcpreply(struct lunatik_packet *p, const char *bytes, unsigned int len);

/* --- connections (src/kapi/conn.c) ------------------------------------------------------------------------------------ */

struct lunatik_conn {
	int family, protocol;	/* 4 or 6; 6 or 17 */
	unsigned char saddr[16], daddr[16];
	unsigned short sport, dport;
	unsigned int id;
	unsigned long long packets[2], bytes[2];	/* of the original direction, of the reply */
};

/* 0, -ENOENT, -ENODATA when nothing counts its traffic, -EOPNOTSUPP without connection tracking. */
int lunatik_conn_find(struct lunatik_netns *netns, struct lunatik_conn *conn, int traffic);

/* Pushes the library's table; may raise. */
int lunatik_open_conn(struct lua_State *L);

#endif
