// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packet object: its fields, and its life from a callback's begin to its end, or beyond when it is stolen.
 *
 * Context: under the state's lock. Reading a field is what firewalls spend their time with, so the interpreter asks here before it
 * calls __index, and both look at Lua's own structures instead of asking its API. A name is found
 * by a multiplication (src/libs/packet/names.rs), the headers once a packet, when the first field is asked for. A userdata gets
 * its finalizer only when it is stolen: to the collector a lent one is no more than bytes.
 *
 * The methods are in packet_methods.c.
 */
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "lgc.h"
#include "lobject.h"
#include "lstate.h"
#include "lstring.h"
#include "memlib.h"
#include "packet.h"
#include "packet_parts.h"
#include "shim.h"

/* The errno values that are interface here. */
#define NO_MEMORY	12
#define BUSY		16
#define NOT_MENDED	95

/* {=== names ================================================================================== */

/* The entry of a name of `len` bytes; NULL for what is none. At least 8 bytes lie before a string: its header. */
static inline const struct lunatik_field *find_field(const char *name, size_t len)
{
	unsigned long long low, high, key;
	const struct lunatik_field *field;

	if (len - 1 >= 16)
		return NULL;
	memcpy(&high, name + len - 8, 8);
	if (len <= 8) {
		low = high >> (64 - 8 * len);
		high = len;
	} else {
		memcpy(&low, name, 8);
	}
	key = low ^ (high << 19 | high >> 45);
	field = &lunatik_packet_fields[key * lunatik_packet_multiplier >> 56];
	return field->low == low && field->high == high && field->op != LUNATIK_FIELD_NONE ? field : NULL;
}

/* ============================================================================================ }
 * {=== self =================================================================================== */

/* The packet at a value, whatever state it is in; NULL if it is none. */
static inline struct lunatik_packet *packet_at(lua_State *L, const TValue *o)
{
	if (!ttisfulluserdata(o) || uvalue(o)->metatable != lunatik_vm_of(L)->packet_meta)
		return NULL;
	return (struct lunatik_packet *)getudatamem(uvalue(o));
}

struct lunatik_packet *lunatik_packet_self(lua_State *L)
{
	struct lunatik_packet *p = NULL;

	if (lua_gettop(L) >= 1)
		p = packet_at(L, L->ci->func + 1);
	if (p == NULL)
		luaL_argerror(L, 1, lua_pushfstring(L, "luapacket expected, got %s", luaL_typename(L, 1)));
	if (p->skb == NULL)
		luaL_argerror(L, 1, "closed packet");
	return p;
}

/* The headers are known: the bytes may have moved for it. */
void lunatik_packet_look_once(struct lunatik_packet *p)
{
	if (p->layout.has == 0) {
		lunatik_packet_look(p);
		lunatik_packet_refresh(p);
	}
}

/* What frame() lent is lent again where it lies now. */
void lunatik_packet_refresh(struct lunatik_packet *p)
{
	size_t len;
	unsigned char *bytes;

	if (p->frame == NULL)
		return;
	if (p->layout.has == 0)
		lunatik_packet_look(p);
	bytes = lunatik_packet_frame(p, &len);
	lunatik_memory_lend(p->frame, bytes, len);
}

/* The object has no packet any more. */
void lunatik_packet_forget(struct lunatik_packet *p)
{
	if (p->frame != NULL)
		lunatik_memory_withdraw(p->frame);
	p->frame = NULL;
	p->skb = NULL;
	p->hook = NULL;
}

/* ============================================================================================ }
 * {=== reading a field ======================================================================== */

static inline unsigned int word_at(const unsigned char *bytes)
{
	unsigned int word;

	memcpy(&word, bytes, sizeof(word));
	return __builtin_bswap32(word);
}

static char *put_decimal(char *to, unsigned int byte)
{
	if (byte >= 100)
		*to++ = (char)('0' + byte / 100);
	if (byte >= 10)
		*to++ = (char)('0' + byte / 10 % 10);
	*to++ = (char)('0' + byte % 10);
	return to;
}

/* An IPv4 address is what is most often asked for: no kernel's formatter for that. */
static size_t address4(const unsigned char *bytes, char *text)
{
	char *to = text;
	int i;

	for (i = 0; i < 4; i++) {
		to = put_decimal(to, bytes[i]);
		*to++ = '.';
	}
	return (size_t)(to - 1 - text);
}

static size_t ether(const unsigned char *bytes, char *text)
{
	static const char digits[] = "0123456789abcdef";
	int i;

	for (i = 0; i < 6; i++) {
		text[3 * i] = digits[bytes[i] >> 4];
		text[3 * i + 1] = digits[bytes[i] & 15];
		text[3 * i + 2] = ':';
	}
	return 17;
}

/* A field that is no part of a word, which the packet has: its value goes to `to`. */
static void get_other(lua_State *L, struct lunatik_packet *p, const struct lunatik_field *field, TValue *to)
{
	unsigned int six = (p->layout.has & LUNATIK_HAS_IP6) != 0, value;
	const unsigned char *bytes = p->base[field->base] + field->offset[six];
	char buf[LUNATIK_ADDRESS_SIZE];
	const char *text = buf;
	size_t len;

	switch (field->op) {
	case LUNATIK_FIELD_LEN:
		setivalue(to, p->len);
		return;
	case LUNATIK_FIELD_META:
		if (lunatik_packet_meta(p, field->mask, &value)) {
			setivalue(to, value);
		} else {
			setnilvalue(to);
		}
		return;
	case LUNATIK_FIELD_ADDRESS:
		len = six ? (size_t)lunatik_address_text(bytes, 1, buf) : address4(bytes, buf);
		break;
	case LUNATIK_FIELD_BYTES:
		text = (const char *)bytes;
		len = six ? 16 : 4;
		break;
	case LUNATIK_FIELD_ADDRESS4:
		len = address4(bytes, buf);
		break;
	case LUNATIK_FIELD_ETHER:
		len = ether(bytes, buf);
		break;
	default:
		text = lunatik_packet_word(p, field->mask, buf);
		if (text == NULL) {
			setnilvalue(to);
			return;
		}
		len = strlen(text);
		break;
	}
	/* Until it is where it belongs, nothing but an emergency collects, and that leaves the stack alone. */
	setsvalue2s(L, to, luaS_newlstr(L, text, len));
	luaC_checkGC(L);
}

/* What the interpreter asks first (lua/kernel/patches/21-fields.patch). A closed packet's fields raise, in packet_index. */
int lunatik_getfield(lua_State *L, void *contents, const char *name, unsigned int len, void *value)
{
	const struct lunatik_field *field = find_field(name, len);
	struct lunatik_packet *p = contents;
	unsigned int six, word;
	TValue *to = value;

	if (field == NULL)
		return 0;
	if (field->op == LUNATIK_FIELD_METHOD) {
		setfvalue(to, lunatik_packet_methods[field->mask % LUNATIK_PACKET_METHODS]);
		return 1;
	}
	if (p->skb == NULL)
		return 0;
	lunatik_packet_look_once(p);
	if ((p->layout.has & field->need) != field->need) {
		setnilvalue(to);
		return 1;
	}
	if (field->op > LUNATIK_FIELD_FLAG) {
		get_other(L, p, field, to);
		return 1;
	}
	six = (p->layout.has & LUNATIK_HAS_IP6) != 0;
	word = word_at(p->base[field->base] + field->offset[six]) >> field->shift[six] & field->mask;
	if (field->op == LUNATIK_FIELD_INT) {
		setivalue(to, word);
	} else {
		setbvalue(to, word != 0);
	}
	return 1;
}

/* pkt.name, pkt.method where the interpreter got no answer, or was not asked: another name, a closed packet */
static int packet_index(lua_State *L)
{
	const TValue *self = L->ci->func + 1;
	struct lunatik_packet *p;

	if (L->top - self < 2 || (p = packet_at(L, self)) == NULL)
		return luaL_argerror(L, 1, lua_pushfstring(L, "luapacket expected, got %s", luaL_typename(L, 1)));
	if (!ttisshrstring(self + 1))
		return 0;
	lua_pushnil(L);
	if (lunatik_getfield(L, p, getstr(tsvalue(self + 1)), tsvalue(self + 1)->shrlen, L->top - 1))
		return 1;
	if (p->skb == NULL && find_field(getstr(tsvalue(self + 1)), tsvalue(self + 1)->shrlen) != NULL)
		return luaL_argerror(L, 1, "closed packet");
	return 0;
}

/* #pkt */
static int packet_len(lua_State *L)
{
	struct lunatik_packet *p = lunatik_packet_self(L);

	lunatik_packet_look_once(p);
	lua_pushinteger(L, p->len);
	return 1;
}

static int packet_tostring(lua_State *L)
{
	struct lunatik_packet_facts facts;

	lunatik_packet_facts(lunatik_packet_self(L), &facts);
	lua_pushfstring(L, "packet: { len:%d data_len:%d users:%d cloned:%d dataref:%d frags:%d }", facts.len,
			facts.data_len, facts.users, facts.cloned, facts.dataref, facts.frags);
	return 1;
}

/* ============================================================================================ }
 * {=== writing a field ======================================================================== */

static int bad_value(lua_State *L, const char *expected)
{
	return luaL_error(L, "bad value for packet field '%s' (%s expected)", lua_tostring(L, 2), expected);
}

/* The greatest number that a field takes. */
static unsigned int limit_of(unsigned int write)
{
	switch (write) {
	case LUNATIK_WRITE_SPORT:
	case LUNATIK_WRITE_DPORT:
		return 0xffff;
	case LUNATIK_WRITE_TTL:
	case LUNATIK_WRITE_TOS:
		return 0xff;
	default:
		return 0xffffffff;
	}
}

const char *lunatik_packet_why(lua_State *L, int err, const char *what)
{
	switch (-err) {
	case NO_MEMORY:
		return "not enough memory";
	case BUSY:
		return "packet is shared";
	case NOT_MENDED:
		return lua_pushfstring(L, "%s cannot be set: its checksum cannot be mended", what);
	default:
		return lua_pushfstring(L, "packet has no %s", what);
	}
}

/* pkt.name = value */
static int packet_newindex(lua_State *L)
{
	struct lunatik_packet *p = lunatik_packet_self(L);
	const struct lunatik_field *field = NULL;
	unsigned char bytes[16];
	unsigned int value = 0;
	size_t len;
	int err;

	if (lua_type(L, 2) == LUA_TSTRING) {
		const char *name = lua_tolstring(L, 2, &len);

		field = find_field(name, len);
	}
	if (field == NULL || field->write == LUNATIK_WRITE_NO)
		return luaL_error(L, "packet field '%s' cannot be set", luaL_tolstring(L, 2, NULL));
	lunatik_packet_look_once(p);
	if ((p->layout.has & field->need) != field->need)
		return luaL_error(L, "packet has no field '%s'", lua_tostring(L, 2));
	if (field->write == LUNATIK_WRITE_SADDR || field->write == LUNATIK_WRITE_DADDR) {
		int six = (p->layout.has & LUNATIK_HAS_IP6) != 0;
		const char *text = lua_type(L, 3) == LUA_TSTRING ? lua_tolstring(L, 3, &len) : NULL;

		if (text == NULL || !lunatik_address_parse(text, len, six, bytes))
			return bad_value(L, six ? "IPv6 address" : "IPv4 address");
	} else {
		int exact;
		lua_Integer n = lua_tointegerx(L, 3, &exact);

		if (!exact || n < 0 || n > (lua_Integer)limit_of(field->write))
			return bad_value(L, lua_pushfstring(L, "0 to %I", (LUAI_UACINT)limit_of(field->write)));
		value = (unsigned int)n;
	}
	err = lunatik_packet_write(p, (enum lunatik_packet_write)field->write, value, bytes);
	lunatik_packet_refresh(p);
	if (err != 0)
		return luaL_error(L, "%s", lunatik_packet_why(L, err, lua_pushfstring(L, "field '%s'", lua_tostring(L, 2))));
	return 0;
}

/* ============================================================================================ }
 * {=== life =================================================================================== */

/* A stolen packet that nobody refers to any more. Never raises. */
static int packet_gc(lua_State *L)
{
	struct lunatik_packet *p = lua_gettop(L) >= 1 ? packet_at(L, L->ci->func + 1) : NULL;

	if (p != NULL && p->stolen != NULL) {
		lunatik_stolen_drop(p);
		lunatik_packet_forget(p);
	}
	return 0;
}

/* The state ends, and its packets with it: each has a reference of its own to what is closed here. */
static int store_gc(lua_State *L)
{
	void **store = lua_touserdata(L, 1);

	if (*store != NULL) {
		lunatik_vm_of(L)->packet_store = NULL;
		lunatik_store_close(*store);
		*store = NULL;
	}
	return 0;
}

static const luaL_Reg metamethods[] = {
	{ "__index", packet_index },
	{ "__newindex", packet_newindex },
	{ "__len", packet_len },
	{ "__tostring", packet_tostring },
	{ "__gc", packet_gc },
	{ NULL, NULL },
};

static const luaL_Reg store_metamethods[] = { { "__gc", store_gc }, { NULL, NULL } };

int lunatik_open_packet(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	void **store;

	if (vm->packet_meta != NULL)
		return 0;
	store = lua_newuserdata(L, sizeof(*store));
	*store = NULL;
	luaL_newlib(L, store_metamethods);
	lua_setmetatable(L, -2);
	/* Where no script can take it away: packets refer to what is in it. */
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, store_metamethods);
	lua_createtable(L, 0, 6);
	luaL_setfuncs(L, metamethods, 0);
	lua_pushliteral(L, "luapacket");
	lua_setfield(L, -2, "__name");
	lua_pushvalue(L, -1);
	lua_setglobal(L, "packet");
	luaL_requiref(L, "conn", lunatik_open_conn, 1);
	lua_pop(L, 1);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, metamethods);
	/* Nothing raises any more. Without a store nothing is stolen. */
	*store = lunatik_store_new(vm->netns);
	vm->packet_store = *store;
	vm->packet_meta = hvalue(L->top - 1);
	lua_pop(L, 2);
	return 0;
}

void *lunatik_packet_new(lua_State *L, void *skb, const void *hook)
{
	struct lunatik_packet *p = lua_newuserdata(L, sizeof(*p));
	struct lunatik_vm *vm = lunatik_vm_of(L);

	p->skb = skb;
	p->hook = hook;
	p->stolen = NULL;
	p->store = vm->packet_store;
	p->vm = vm;
	p->frame = NULL;
	p->layout.has = 0;
	/* Not by lua_setmetatable, which would see the finalizer; a new object needs no barrier. */
	uvalue(L->top - 1)->metatable = vm->packet_meta;
	uvalue(L->top - 1)->hasfields = 1;
	return p;
}

void lunatik_packet_renew(void *handle, void *skb, const void *hook)
{
	struct lunatik_packet *p = handle;

	p->skb = skb;
	p->hook = hook;
	p->layout.has = 0;
}

void lunatik_packet_withdraw(void *handle)
{
	struct lunatik_packet *p = handle;

	if (p->stolen == NULL)
		lunatik_packet_forget(p);
}

int lunatik_packet_steal(void *handle)
{
	struct lunatik_packet *p = handle;
	struct lunatik_vm *vm = p->vm;
	int err = lunatik_stolen_take(p);

	if (err == 0) {
		/* It has something to give back now. This allocates nothing. */
		Udata *u = (Udata *)((char *)handle - sizeof(UUdata));

		luaC_checkfinalizer(vm->main, obj2gco(u), u->metatable);
		lunatik_packet_refresh(p);
	}
	return err;
}

/* ============================================================================================ } */
