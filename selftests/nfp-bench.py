import os,sys
sys.path.insert(0,"/lunatik/selftests/lib")
sys.argv=["x"]
exec(open("/lunatik/selftests/packet.py").read().split("TESTS = [")[0].replace("__file__",'"/lunatik/selftests/packet.py"'))
plan(1)
world(); mac_b=router_mac()
lua("""held={} hook("ipv4","forward",function(p) if p.dport==5 then held[1]=p return "stolen" end end)""")
wire.send(mac_b,0x800,ip4(6,tcp(n4(A4),n4(C4),1,5,b"x"*100)))
soon(lambda: execute(name,"return #held")=="1")
for f in ["x=1","p.sport","p.protocol","p.syn","p.saddr_n","p.saddr","p.saddr_b","p.mark","p.len","#p","p.indev","p.nosuch","p.close","p.payload","p.ttl"]:
    body = "x = %s" % f if f!="x=1" else "x = 1"
    r = lua("""local p = held[1] local clock=os.clock local x
local best=1e9
for k=1,5 do local a=clock() for i=1,1000 do %s end local b=clock() for i=1,1000 do x=1 end local c=clock() local d=((b-a)-(c-b))*1e6 if d<best then best=d end end
return string.format("%%.0f", best)""" % body)
    print("#", f, r, "ns an access")
# the first field: look
