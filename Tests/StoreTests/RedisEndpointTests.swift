import Testing

@testable import Store

@Suite("The URL of a Redis")
struct RedisEndpointTests {
    @Test(
        "Every form is read",
        arguments: [
            ("redis://127.0.0.1:6380/3", RedisEndpoint(address: .host("127.0.0.1", port: 6380), database: 3)),
            ("redis://redis.internal", RedisEndpoint(address: .host("redis.internal", port: 6379))),
            ("redis://h/", RedisEndpoint(address: .host("h", port: 6379))),
            ("redis://[::1]:7000/1", RedisEndpoint(address: .host("::1", port: 7000), database: 1)),
            ("redis://[::1]", RedisEndpoint(address: .host("::1", port: 6379))),
            (
                "redis://:p%40ss@h:1",
                RedisEndpoint(address: .host("h", port: 1), credentials: RedisCredentials(password: "p@ss"))
            ),
            (
                "redis://limpet:a:b@c@h:65535/15",
                RedisEndpoint(
                    address: .host("h", port: 65535),
                    credentials: RedisCredentials(username: "limpet", password: "a:b@c"), database: 15)
            ),
            ("unix:///run/redis.sock", RedisEndpoint(address: .unixSocket(path: "/run/redis.sock"))),
            (
                "unix://u:p@/run/redis.sock?db=2",
                RedisEndpoint(
                    address: .unixSocket(path: "/run/redis.sock"),
                    credentials: RedisCredentials(username: "u", password: "p"), database: 2)
            ),
            (
                "rediss://u:p@[::1]:7/2",
                RedisEndpoint(
                    address: .host("::1", port: 7), credentials: RedisCredentials(username: "u", password: "p"),
                    database: 2, usesTLS: true)
            ),
        ])
    func forms(_ url: String, _ endpoint: RedisEndpoint) throws {
        #expect(try RedisEndpoint(url) == endpoint)
    }

    @Test(
        "What is wrong is said, and nothing of the text repeated",
        arguments: [
            ("", "must begin with redis://"), ("127.0.0.1:6379", "must begin with redis://"),
            ("http://secret", "scheme"), ("rediss:", "must begin with"),
            ("redis://", "the host is missing"), ("redis://:secret", "the host is missing"),
            ("redis://h:0", "1 to 65535"), ("redis://h:65536", "1 to 65535"), ("redis://h:+1", "1 to 65535"),
            ("redis://h:", "1 to 65535"), ("redis://secret:secret", "1 to 65535"), ("redis://h/secret", "database"),
            ("redis://h/-1", "database"), ("redis://[::1", "bracket"), ("redis://[::1]x", "1 to 65535"),
            ("redis://secret@h", "user:password"), ("redis://:secret%4@h", "percent-encoded"),
            ("redis://:secret%+f@h", "percent-encoded"), ("redis://:%ff%fesecret@h", "percent-encoded"),
            ("redis://h:6379?db=1", "follows a slash, as in redis://127.0.0.1:6379/1"),
            ("redis://h?db=1", "follows a slash"),
            ("redis://[::1]:6379?db=1", "follows a slash"), ("redis://h/1?db=2", "follows a slash"),
            ("redis://h/?db=2", "follows a slash"), ("unix://secret", "absolute"), ("unix:///s?secret=1", "?db=1"),
            ("unix:///s?db=x", "database"),
            ("unix:///" + String(repeating: "s", count: 107), "107 bytes"),
        ])
    func faults(_ url: String, _ part: String) {
        let error = #expect(throws: RedisEndpointError.self) { try RedisEndpoint(url) }
        #expect(error?.description.contains(part) == true)
        #expect(error?.description.contains("secret") == false)
    }

    @Test("No text form shows the password")
    func redaction() throws {
        let endpoint = try RedisEndpoint("redis://limpet:hush-hush@h:6379/2")
        var dumped = ""
        dump(endpoint, to: &dumped)
        let settings = StoreSettings(endpoint: endpoint)
        let texts = ["\(endpoint)", String(reflecting: endpoint), "\(settings)", String(reflecting: settings), dumped]
        for text in texts { #expect(!text.contains("hush")) }
        #expect("\(endpoint)" == "redis://h:6379/2")
        #expect(try "\(RedisEndpoint("rediss://hush:hush@h"))" == "rediss://h:6379/0")
    }
}
