// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netfilter library: Lua functions that decide about packets.
 *
 * A function that was registered is a userdata, the handle; while it is registered, the registry keeps the handle
 * (key: its address), and a table of slots the function. Functions are published and withdrawn by
 * generation.c; the hook in the kernel exists from registration to removal and passes packets on while it has no live
 * function. Context: under the state's lock; packets come in softirq or process context and are never broken.
 */
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "ldo.h"
#include "lstate.h"
#include "netfilter.h"
#include "packet.h"
#include "shim.h"

#define HANDLE	"netfilter.hook"
/* Functions of one state at most. */
#define FUNCTIONS	256
/* A packet is given to a function again so many times at most. */
#define REPEATS	16

/*
 * What the packets' thread has at the bottom of its stack: the message handler, the table of slots, the object that lends
 * packets: the same for one after another until it is stolen, for making and collecting one costs as much as a call.
 */
#define HANDLER	1
#define SLOTS	2
#define OBJECT	3

/* The registry's key of the table of slots. */
static const char slots;

struct lunatik_function {
	struct lunatik_registration registration;
	struct lunatik_hook *hook;	/* NULL: not registered */
	struct lunatik_function *next, **link;	/* of the hook's live functions; `link` NULL: not live */
	int slot;			/* where the function is, 0: nowhere */
	int onerror;			/* enum lunatik_verdict */
	int kept;			/* the registry has the handle */
};

/* {=== names ================================================================================= */

enum family { INET = 1, IPV4 = 2, ARP = 3, NETDEV = 5, BRIDGE = 7, IPV6 = 10 };
/* Sets of families. */
#define IP_FAMILIES	(1 << INET | 1 << IPV4 | 1 << IPV6)
#define ROUTED		(IP_FAMILIES | 1 << BRIDGE)
#define ALL		(ROUTED | 1 << ARP | 1 << NETDEV)

struct name {
	const char *name;
	int value;
	int families;	/* where it has that value */
};

static const struct name families[] = {
	{ "ipv4", IPV4, 0 }, { "ipv6", IPV6, 0 }, { "inet", INET, 0 },
	{ "bridge", BRIDGE, 0 }, { "arp", ARP, 0 }, { "netdev", NETDEV, 0 },
	{ NULL, 0, 0 },
};

static const struct name hooks[] = {
	{ "prerouting", 0, ROUTED }, { "input", 1, ROUTED }, { "forward", 2, ROUTED },
	{ "output", 3, ROUTED }, { "postrouting", 4, ROUTED },
	{ "input", 0, 1 << ARP }, { "output", 1, 1 << ARP },
	{ "ingress", 0, 1 << NETDEV }, { "egress", 1, 1 << NETDEV }, { "ingress", 5, 1 << INET },
	{ NULL, 0, 0 },
};

/* nft's names, and those of the kernel for what comes between. */
static const struct name priorities[] = {
	{ "raw", -300, IP_FAMILIES }, { "conntrack", -200, IP_FAMILIES }, { "mangle", -150, IP_FAMILIES },
	{ "dstnat", -100, IP_FAMILIES }, { "filter", 0, ALL & ~(1 << BRIDGE) }, { "security", 50, IP_FAMILIES },
	{ "srcnat", 100, IP_FAMILIES }, { "conntrack_helper", 300, IP_FAMILIES },
	{ "dstnat", -300, 1 << BRIDGE }, { "filter", -200, 1 << BRIDGE }, { "out", 100, 1 << BRIDGE },
	{ "srcnat", 300, 1 << BRIDGE },
	{ NULL, 0, 0 },
};

static const struct name verdicts[] = {
	{ "accept", LUNATIK_ACCEPT, 0 }, { "drop", LUNATIK_DROP, 0 }, { NULL, 0, 0 },
};

static int is_of(const struct name *name, int family)
{
	return family < 0 || (name->families & 1 << family) != 0;
}

/* Raises: `name` is none of those that the family, if any (not negative), has. */
static int unknown_name(lua_State *L, const char *field, const char *name, const struct name *names, int family)
{
	const char *last = NULL;
	luaL_Buffer list;

	luaL_buffinit(L, &list);
	for (; names->name != NULL; names++) {
		if (!is_of(names, family))
			continue;
		if (last != NULL) {
			luaL_addstring(&list, last);
			luaL_addstring(&list, ", ");
		}
		last = names->name;
	}
	if (last != NULL) {
		luaL_addstring(&list, "or ");
		luaL_addstring(&list, last);
	}
	luaL_pushresult(&list);
	return luaL_error(L, "register: no %s '%s' (%s)", field, name, lua_tostring(L, -1));
}

static int value_of(lua_State *L, const char *field, const struct name *names, int family)
{
	const char *name = lua_tostring(L, -1);
	const struct name *n;

	for (n = names; n->name != NULL; n++)
		if (is_of(n, family) && strcmp(n->name, name) == 0)
			return n->value;
	return unknown_name(L, field, name, names, family);
}

/* Leaves the field of the table at index 1 on top; raises when it is not of the type. True unless it is nil. */
static int get_field(lua_State *L, const char *field, int type, int mandatory)
{
	int got = lua_getfield(L, 1, field);

	if (got == type)
		return 1;
	if (got == LUA_TNIL && !mandatory)
		return 0;
	if (got == LUA_TNIL)
		return luaL_error(L, "register: '%s' is missing", field);
	return luaL_error(L, "register: '%s' must be a %s, not a %s", field, lua_typename(L, type), lua_typename(L, got));
}

static int get_name(lua_State *L, const char *field, const struct name *names, int family)
{
	int value;

	get_field(L, field, LUA_TSTRING, 1);
	value = value_of(L, field, names, family);
	lua_pop(L, 1);
	return value;
}

static int get_priority(lua_State *L, int family)
{
	int type = lua_getfield(L, 1, "priority"), value = 0, exact;
	lua_Integer n;

	if (type == LUA_TNUMBER) {
		n = lua_tointegerx(L, -1, &exact);
		if (!exact || n < -2147483648LL || n > 2147483647LL)
			return luaL_error(L, "register: 'priority' must be an integer of 32 bits");
		value = (int)n;
	} else if (type == LUA_TSTRING) {
		value = value_of(L, "priority", priorities, family);
	} else if (type == LUA_TNIL) {
		return luaL_error(L, "register: 'priority' is missing");
	} else {
		return luaL_error(L, "register: 'priority' must be a number or a name, not a %s", luaL_typename(L, -1));
	}
	lua_pop(L, 1);
	return value;
}

static void get_device(lua_State *L, struct lunatik_hook_key *key)
{
	size_t len;
	const char *device;

	if (!get_field(L, "device", LUA_TSTRING, 0)) {
		if (lunatik_hook_needs_device(key->family, key->number))
			luaL_error(L, "register: this hook is a device's: 'device' is missing");
		lua_pop(L, 1);
		return;
	}
	device = lua_tolstring(L, -1, &len);
	if (len == 0 || len >= LUNATIK_DEVICE_MAX || strlen(device) != len)
		luaL_error(L, "register: '%s' is no name of a device", device);
	memcpy(key->device, device, len);
	lua_pop(L, 1);
}

/* What is no field is a slip of the pen, as dangerous as any in a firewall. */
static void refuse_unknown(lua_State *L)
{
	static const char *const fields[] = { "family", "hook", "priority", "device", "onerror", "call", NULL };
	int i;

	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "register: a %s is no field", luaL_typename(L, -2));
		for (i = 0; fields[i] != NULL && strcmp(fields[i], lua_tostring(L, -2)) != 0; i++)
			;
		if (fields[i] == NULL)
			luaL_error(L, "register: no field '%s'", lua_tostring(L, -2));
	}
}

/* ============================================================================================ }
 * {=== functions ============================================================================= */

static void look_at_functions(struct lunatik_hook *hook)
{
	struct lunatik_function *f;
	int drops = 0;

	for (f = hook->first; f != NULL; f = f->next)
		drops |= f->onerror == LUNATIK_DROP;
	*(volatile int *)&hook->drops = drops;
	*(volatile int *)&hook->live = hook->first != NULL;
}

/* From now on packets come to it, after the hook's other functions. */
static void begin(struct lunatik_function *f)
{
	struct lunatik_hook *hook = f->hook;

	f->next = NULL;
	f->link = hook->last ? &hook->last->next : &hook->first;
	*f->link = f;
	hook->last = f;
	look_at_functions(hook);
}

/* No more packets come to it. */
static void stop(struct lunatik_function *f)
{
	struct lunatik_hook *hook = f->hook;

	if (f->link == NULL)
		return;
	if (hook->cursor == f)
		hook->cursor = f->next;
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
	else
		hook->last = f->link == &hook->first ? NULL :
			(struct lunatik_function *)((char *)f->link - offsetof(struct lunatik_function, next));
	f->link = NULL;
	f->next = NULL;
	look_at_functions(hook);
}

/* A function that was registered is so no more; nothing here allocates. */
static void let_go(lua_State *L, struct lunatik_function *f)
{
	struct lunatik_hook *hook = f->hook;

	if (hook == NULL)
		return;
	stop(f);
	lunatik_registration_remove(&f->registration);
	f->hook = NULL;
	lunatik_vm_of(L)->functions--;
	if (--hook->users == 0) {
		*hook->link = hook->next;
		if (hook->next != NULL)
			hook->next->link = hook->link;
		lunatik_hook_let_go(hook);
	}
	/* The keys exist: neither assignment allocates. */
	if (f->slot != 0) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &slots);
		lua_pushnil(L);
		lua_rawseti(L, -2, f->slot);
		lua_pop(L, 1);
		f->slot = 0;
	}
	if (f->kept) {
		f->kept = 0;
		lua_pushnil(L);
		lua_rawsetp(L, LUA_REGISTRYINDEX, f);
	}
}

static struct lunatik_function *function_of(struct lunatik_registration *r)
{
	return (struct lunatik_function *)((char *)r - offsetof(struct lunatik_function, registration));
}

static void publish(struct lunatik_vm *vm, struct lunatik_registration *r)
{
	(void)vm;
	begin(function_of(r));
}

static void withdraw(struct lunatik_vm *vm, struct lunatik_registration *r)
{
	let_go(vm->aux, function_of(r));
}

static const struct lunatik_registration_ops function_ops = { publish, withdraw };

/* ============================================================================================ }
 * {=== registration ========================================================================== */

static int handle_gc(lua_State *L)
{
	struct lunatik_function *f = luaL_testudata(L, 1, HANDLE);

	if (f != NULL)
		let_go(L, f);
	return 0;
}

/* The thread on which packets meet functions. */
static void make_thread(lua_State *L, struct lunatik_vm *vm)
{
	lua_State *thread;

	if (vm->packets != NULL)
		return;
	thread = lua_newthread(L);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &slots);
	lua_pushvalue(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, thread);
	/* Nothing raises from here on. */
	lua_pushcfunction(thread, lunatik_message_handler);
	lua_xmove(L, thread, 1);
	lua_pushnil(thread);
	lua_pop(L, 1);
	vm->packets = thread;
}

/* Puts the function on top into a free slot, and pops it. */
static int take_slot(lua_State *L)
{
	int slot = 1;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &slots);
	while (lua_rawgeti(L, -1, slot) != LUA_TNIL) {
		lua_pop(L, 1);
		slot++;
	}
	lua_pop(L, 1);
	lua_insert(L, -2);
	lua_rawseti(L, -2, slot);
	lua_pop(L, 1);
	return slot;
}

static struct lunatik_hook *find_hook(struct lunatik_vm *vm, const struct lunatik_hook_key *key)
{
	struct lunatik_hook *hook;

	for (hook = vm->hooks; hook != NULL; hook = hook->next)
		if (!*(volatile int *)&hook->gone && memcmp(&hook->key, key, sizeof(*key)) == 0)
			return hook;
	return NULL;
}

static void use_hook(struct lunatik_function *f, struct lunatik_hook *hook)
{
	f->hook = hook;
	hook->users++;
}

/* The errno values that a hook can meet, and what they mean here. */
static const char *error_text(int error)
{
	switch (error) {
	case -7: return "the kernel takes no more hooks there";
	case -12: return "not enough memory";
	case -19: return "no such device";
	case -95: return "this kernel has no such hook";
	case -100: return "the network namespace is gone";
	default: return "the kernel refuses this hook";
	}
}

/* Finds the hook or has it made, outside of the lock; then others may have made it, too. */
static void have_hook(lua_State *L, struct lunatik_vm *vm, struct lunatik_function *f, const struct lunatik_hook_key *key)
{
	struct lunatik_hook_request request;
	struct lunatik_hook *hook = find_hook(vm, key);

	if (hook != NULL) {
		use_hook(f, hook);
		return;
	}
	memset(&request, 0, sizeof(request));
	request.key = *key;
	request.netns = vm->netns;
	request.vm = vm;
	request.group = vm->shared;
	request.interpreter = vm->interpreter;
	request.interpreters = vm->interpreters;
	if (!lunatik_call_out(vm, lunatik_hook_make, &request)) {
		vm->functions--;
		luai_poll(L);
		luaL_error(L, "cannot wait here");
	}
	if (request.hook == NULL) {
		vm->functions--;
		luai_poll(L);
		luaL_error(L, "register: %s", error_text(request.error));
	}
	hook = find_hook(vm, key);
	if (hook != NULL) {
		lunatik_hook_let_go(request.hook);
	} else {
		hook = request.hook;
		hook->next = vm->hooks;
		hook->link = &vm->hooks;
		if (hook->next != NULL)
			hook->next->link = &hook->next;
		vm->hooks = hook;
	}
	use_hook(f, hook);
	/* From here on the handle's finalizer gives it back. */
	luai_poll(L);
}

/* netfilter.register{ family=, hook=, priority=, device=, onerror=, call= } -> handle */
static int netfilter_register(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_function *f;
	struct lunatik_hook_key key;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	refuse_unknown(L);
	memset(&key, 0, sizeof(key));
	key.family = get_name(L, "family", families, -1);
	key.number = get_name(L, "hook", hooks, key.family);
	key.priority = get_priority(L, key.family);
	get_device(L, &key);

	f = lua_newuserdata(L, sizeof(*f));
	memset(f, 0, sizeof(*f));
	lunatik_registration_init(&f->registration, &function_ops);
	luaL_setmetatable(L, HANDLE);
	f->onerror = get_name(L, "onerror", verdicts, -1);
	get_field(L, "call", LUA_TFUNCTION, 1);

	/* Stack: the table, the handle, the function. */
	if (!lunatik_call_out(vm, NULL, NULL)) {
		luai_poll(L);
		return luaL_error(L, "cannot wait here");
	}
	if (lunatik_vm_limit(vm) > lunatik_hook_maxalloc())
		return luaL_error(L, "register: the state's maxalloc is above hookmaxalloc (%I)",
				  (lua_Integer)lunatik_hook_maxalloc());
	if (vm->functions >= FUNCTIONS)
		return luaL_error(L, "register: too many functions (%d)", FUNCTIONS);
	make_thread(L, vm);
	/* Counted before it exists: the limit must not be raised meanwhile. */
	vm->functions++;
	have_hook(L, vm, f, &key);
	f->slot = take_slot(L);
	lua_pushvalue(L, 2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, f);
	f->kept = 1;
	switch (lunatik_registration_add(vm, &f->registration, 0)) {
	case LUNATIK_IS_LIVE:
		begin(f);
		break;
	case LUNATIK_IS_WITHDRAWN:
		withdraw(vm, &f->registration);
		break;
	}
	lua_settop(L, 2);
	return 1;
}

/* handle:remove(), netfilter.unregister(handle) -> true; false when it was removed before */
static int netfilter_unregister(lua_State *L)
{
	struct lunatik_function *f = luaL_checkudata(L, 1, HANDLE);
	int was = f->hook != NULL;

	let_go(L, f);
	lua_pushboolean(L, was);
	return 1;
}

static const luaL_Reg functions[] = {
	{ "register", netfilter_register },
	{ "unregister", netfilter_unregister },
	{ NULL, NULL },
};

int lunatik_open_netfilter(lua_State *L)
{
	lunatik_open_packet(L);
	luaL_newmetatable(L, HANDLE);
	lua_pushcfunction(L, handle_gc);
	lua_setfield(L, -2, "__gc");
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, netfilter_unregister);
	lua_setfield(L, -2, "remove");
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

/* ============================================================================================ }
 * {=== packets =============================================================================== */

/* What a function wants, beside the verdicts of the kernel. */
enum wants { CONTINUE = -1, REPEAT = -2 };

static int is_word(const char *s, size_t len, const char *word, size_t word_len)
{
	return len == word_len && memcmp(s, word, word_len) == 0;
}
#define IS(word)	is_word(s, len, word, sizeof(word) - 1)

/* Where, above what is always there, the function is. */
#define CALLED	(OBJECT + 1)

/* Raises: the function called gave no verdict. */
static int bad_verdict(lua_State *L, const char *got)
{
	lua_Debug where;

	lua_pushvalue(L, CALLED);
	lua_getinfo(L, ">S", &where);
	return luaL_error(L, "%s:%d: this function returned %s, which is no verdict", where.short_src, where.linedefined, got);
}

/* The verdict at index -2 and what comes with it. */
static int verdict_of(lua_State *L)
{
	const char *s;
	lua_Integer queue;
	size_t len;

	if (!lua_toboolean(L, -2))
		return CONTINUE;
	if (lua_type(L, -2) != LUA_TSTRING)
		return bad_verdict(L, lua_pushfstring(L, "a %s", luaL_typename(L, -2)));
	s = lua_tolstring(L, -2, &len);
	if (IS("accept"))
		return LUNATIK_ACCEPT;
	if (IS("drop"))
		return LUNATIK_DROP;
	if (IS("continue"))
		return CONTINUE;
	if (IS("stolen"))
		return LUNATIK_STOLEN;
	if (IS("repeat"))
		return REPEAT;
	if (IS("stop"))
		return LUNATIK_ACCEPT;
	if (!IS("queue"))
		return bad_verdict(L, lua_pushfstring(L, "'%s'", s));
	if (lua_isnil(L, -1))
		return LUNATIK_QUEUE;
	queue = lua_tointeger(L, -1);
	if (lua_type(L, -1) != LUA_TNUMBER || queue < 0 || queue > 0xffff)
		return bad_verdict(L, "a queue that is no number below 65536");
	return LUNATIK_QUEUE | (int)queue << 16;
}

/* Gives the packet to a function: what is protected. It runs at the bottom of the thread, in no function of its own. */
static void give(lua_State *L, void *ud)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_packet_run *run = ud;
	int verdict, tries = 0, err;

	if (vm->packet == NULL) {
		vm->packet = lunatik_packet_new(L, run->skb, run->state);
		lua_replace(L, OBJECT);
	} else {
		lunatik_packet_renew(vm->packet, run->skb, run->state);
	}
	run->handle = vm->packet;
	lua_rawgeti(L, SLOTS, run->slot);
	for (;;) {
		lua_pushvalue(L, CALLED);
		lua_pushvalue(L, OBJECT);
		lua_call(L, 1, 2);
		verdict = verdict_of(L);
		if (verdict != REPEAT)
			break;
		if (++tries > REPEATS)
			bad_verdict(L, "'repeat' again and again");
		lua_settop(L, CALLED);
	}
	if (verdict == LUNATIK_STOLEN) {
		err = lunatik_packet_steal(run->handle);
		if (err != 0)
			luaL_error(L, "the packet cannot be stolen (%d)", err);
		vm->packet = NULL;
		lua_pushnil(L);
		lua_replace(L, OBJECT);
	}
	run->verdict = (unsigned int)verdict;
}

/* The message of the error on top goes to the log. */
static void tell_error(lua_State *L, struct lunatik_vm *vm)
{
	size_t len;
	const char *text;

	if (lua_type(L, -1) != LUA_TSTRING)
		return;
	text = lua_tolstring(L, -1, &len);
	lunatik_packet_error(vm, text, len);
}

/* The state's functions at this hook decide, one after another, until one does. */
void lunatik_packet_run(struct lunatik_vm *vm, struct lunatik_packet_run *run)
{
	struct lunatik_hook *hook = run->hook;
	lua_State *L = vm->packets;
	struct lunatik_function *f;

	/* Lua counts a large block that it has marked as work done in advance, and would rest until the limit is reached. */
	if (run->pressed)
		luaE_setdebt(G(L), 0);
	for (f = hook->first; f != NULL; f = hook->cursor) {
		unsigned int onerror = (unsigned int)f->onerror;
		int status;

		hook->cursor = f->next;
		lunatik_threadbits(L) = LUNATIK_TOP;
		lunatik_generation_inherit(L, &f->registration);
		run->slot = f->slot;
		run->handle = NULL;
		/* As lua_pcall, but with one function less. `f` may remove itself and be freed: no look at it from here on. */
		status = luaD_pcall(L, give, run, savestack(L, L->top), savestack(L, L->ci->func + HANDLER));
		if (run->handle != NULL)
			lunatik_packet_withdraw(run->handle);
		if (status != LUA_OK) {
			tell_error(L, vm);
			run->failed++;
			run->verdict = onerror;
		}
		lua_settop(L, OBJECT);
		if (run->verdict != (unsigned int)CONTINUE)
			break;
	}
	hook->cursor = NULL;
	if (run->verdict == (unsigned int)CONTINUE)
		run->verdict = LUNATIK_ACCEPT;
}

/* ============================================================================================ } */
