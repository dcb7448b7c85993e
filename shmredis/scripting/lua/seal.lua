-- seal.lua - the last file: from here on nothing but what scripts may see is in reach.
local host, lib = ...

collectgarbage("setpause", 150)
lib.seal()
