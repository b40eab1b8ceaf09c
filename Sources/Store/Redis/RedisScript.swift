/// A script that the store runs, identified by the SHA-1 of its source.
///
/// `restore`, `rebind` and `drop` take the record's key, publish what they write, and treat a foreign value, or a value
/// of another type, as absent. `restore` and `rebind` also take the record to write and its lifetime in milliseconds.
/// They return `{record found, its lifetime, creation time or 0}`, or zeros if they wrote the record. They give a
/// lifetime to a record that has none.
struct RedisScript: Sendable {
    let source: String
    let sha1: String

    /// Writes unless a record with the same or a higher epoch exists.
    static let restore = RedisScript(
        source: prelude + "if e > 0 and e >= integer(ARGV[1]) % 16777216 then return held() end\n" + write,
        sha1: "c99a074135a1292dd93785fb8db9c22427f2390b")

    /// Compare-and-set. Writes unless the record's epoch is above that of the expected record (the third argument), or
    /// is equal but with another backend.
    static let rebind = RedisScript(
        source: prelude + """
            local x = tonumber(ARGV[3])
            local xe = x % 16777216
            if e > xe or (e > 0 and e == xe and v ~= x) then return held() end

            """ + write,
        sha1: "7df0d07106c4ed060249af45f895050ff91b5d4f")

    /// Writes a tombstone one epoch above both the record and the first argument. It lives for the second argument, or
    /// for the record's remaining lifetime if that is longer. Returns what it wrote, in the form of the other scripts,
    /// or zeros if the epoch cannot grow further.
    static let drop = RedisScript(
        source: prelude + """
            local t = e > 0 and redis.call('PTTL', KEYS[1]) or 0
            e = math.max(e, tonumber(ARGV[1])) + 1
            if e > 16776215 then return {0, 0, 0} end
            t = string.format('%.0f', math.min(math.max(t, tonumber(ARGV[2])), 9007199254740991))
            redis.call('SET', KEYS[1], e, 'PX', t)
            redis.call('PUBLISH', string.sub(KEYS[1], 1, -23) .. 'rebind', string.sub(KEYS[1], -22) .. ' ' .. e)
            return {e, tonumber(t), 0}
            """,
        sha1: "ea85b5a7f58d7a46bb462900181f8164957e6154")

    /// A heartbeat. Takes the heartbeat's key, the era's key, a sequence number, the run id of the server that it is
    /// sent to, and 16 random characters for the era if there is none. It writes first, so that no heartbeat comes back
    /// from a server that refuses writes. Returns nothing.
    static let heartbeat = RedisScript(
        source: """
            redis.call('SET', KEYS[1], ARGV[1], 'PX', 5000)
            local e = redis.pcall('SET', KEYS[2], ARGV[3], 'NX', 'GET')
            if e and (type(e) ~= 'string' or #e ~= 16) then
              redis.call('SET', KEYS[2], ARGV[3])
              e = nil
            end
            redis.call('PUBLISH', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. (e or ARGV[3]))
            """,
        sha1: "f7dd42699c4bbc1aca66d01b1d79461fadb9ba93")

    /// An announcement. Takes the keys of records, the channel, the instance in decimal digits, and 1 if records were
    /// left out, else 0. Publishes the records as they are now, except those that are absent, foreign or without a
    /// lifetime: one foreign value must not spoil the message. Returns nothing.
    static let announce = RedisScript(
        source: """
            local m = {ARGV[2], ARGV[3]}
            for i = 1, #KEYS do
              local g = redis.pcall('GET', KEYS[i])
              if type(g) == 'table' and not string.find(g.err, 'WRONGTYPE', 1, true) then return g end
              if type(g) == 'string' and #g <= 27 then
                local n, s = string.match(g, '^([1-9]%d*):([1-9]%d*)$')
                n, s = n or string.match(g, '^[1-9]%d*$'), s or '0'
                local v = n and #n <= 16 and #s <= 10 and tonumber(s) <= 4294967295 and tonumber(n) or 0
                local e = v % 16777216
                local t = redis.call('PTTL', KEYS[i])
                if v < 9007199254740992 and e > 0 and e <= 16776215 and t > 0 then
                  m[#m + 1] = string.sub(KEYS[i], -22) .. ' ' .. g .. ' ' .. math.min(t, 42048000000)
                end
              end
            end
            redis.call('PUBLISH', ARGV[1], table.concat(m, ' '))
            """,
        sha1: "5263fb40c38531bb7bc14a2c986fb8dd4acae45e")

    /// Reads the record: `v` is its integer, `e` its epoch and `b` when its session began. `e` is 0 without a valid
    /// record. Values are below 2^53, so Lua's doubles are exact.
    private static let prelude = """
        local g = redis.pcall('GET', KEYS[1])
        if type(g) == 'table' and not string.find(g.err, 'WRONGTYPE', 1, true) then return g end
        local function integer(s) return tonumber(string.match(s, '^%d+')) end
        local v, b = 0, 0
        if type(g) == 'string' and #g <= 27 then
          local n, s = string.match(g, '^([1-9]%d*):([1-9]%d*)$')
          n, s = n or string.match(g, '^[1-9]%d*$'), s or '0'
          if n and #n <= 16 and #s <= 10 and tonumber(s) <= 4294967295 then v, b = tonumber(n), tonumber(s) end
        end
        local e = v % 16777216
        if v >= 9007199254740992 or e > 16776215 then e = 0 end
        local function held()
          local t = redis.call('PTTL', KEYS[1])
          if t < 0 then
            redis.call('PEXPIRE', KEYS[1], ARGV[2])
            t = tonumber(ARGV[2])
          end
          return {v, t, b}
        end

        """

    /// The key is the namespace, a colon and the 22 characters of the fingerprint.
    private static let write = """
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        redis.call('PUBLISH', string.sub(KEYS[1], 1, -23) .. 'rebind', string.sub(KEYS[1], -22) .. ' ' .. ARGV[1])
        return {0, 0, 0}
        """
}
