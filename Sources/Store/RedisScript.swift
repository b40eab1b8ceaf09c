/// A script that the store runs, known to it by the SHA-1 of its source.
///
/// Both take the key, and as arguments the record to write and its lifetime in milliseconds. They answer
/// `{record found, its lifetime}`, or `{0, lifetime}` where they wrote; what they write they publish. A value that
/// Limpet would not write and a value of another type count as absent; a record without a lifetime is given one.
struct RedisScript: Sendable {
    let source: String
    let sha1: String

    /// Writes unless a record of the same epoch or a higher one is there.
    static let restore = RedisScript(
        source: prelude + "if e > 0 and e >= tonumber(ARGV[1]) % 16777216 then return held() end\n" + write,
        sha1: "961552fad69881bd7d1168e054fd98e52c155e45")

    /// Compare-and-set. Writes unless the record's epoch is above that of the expected record, its third argument,
    /// or equal with another backend.
    static let rebind = RedisScript(
        source: prelude + """
            local x = tonumber(ARGV[3])
            local xe = x % 16777216
            if e > xe or (e == xe and v ~= x) then return held() end

            """ + write,
        sha1: "e8ac70d8c2fdc79350f9c5a3f93a932d734e6d44")

    /// Reads: `v` is the record and `e` its epoch, or `e` is 0. Values are below 2^53, so Lua's doubles are exact.
    private static let prelude = """
        local g = redis.pcall('GET', KEYS[1])
        if type(g) == 'table' and not string.find(g.err, 'WRONGTYPE', 1, true) then return g end
        local v = type(g) == 'string' and #g <= 16 and string.find(g, '^[1-9]%d*$') and tonumber(g) or 0
        local e = v % 16777216
        if v >= 9007199254740992 or e > 16776215 then e = 0 end
        local function held()
          local t = redis.call('PTTL', KEYS[1])
          if t < 0 then
            redis.call('PEXPIRE', KEYS[1], ARGV[2])
            t = tonumber(ARGV[2])
          end
          return {v, t}
        end

        """

    /// The key is the namespace, a colon and the 22 characters of the fingerprint.
    private static let write = """
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        redis.call('PUBLISH', string.sub(KEYS[1], 1, -23) .. 'rebind', string.sub(KEYS[1], -22) .. ' ' .. ARGV[1])
        return {0, tonumber(ARGV[2])}
        """
}
