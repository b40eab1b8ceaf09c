import Configuration
import Foundation
import Testing

@testable import Control

@Suite("What a Docker Engine says")
struct DockerReadingTests {
    static let whole = #"""
        {"Id":"ab12","Name":"/web","Created":"2026-11-22T22:11:12.5Z","State":{"Status":"running","Running":true,
        "StartedAt":"2026-11-22T23:11:12.000000007+01:00","Health":{"Status":"starting","Log":[]}},
        "HostConfig":{"NetworkMode":"front","PortBindings":{"80/tcp":[{"HostPort":"1"}]}},
        "Config":{"Labels":{"a":"b"},"ExposedPorts":{"8080/tcp":{},"90/udp":{},"9":{}},"StopSignal":"SIGQUIT"},
        "NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"1"}],"8080/tcp":null,"x/tcp":null},
        "Networks":{"front":{"IPAddress":"10.0.0.2","GlobalIPv6Address":"fd00::2"},"back":{"IPAddress":""},"gone":null}}}
        """#

    private static func container(_ json: String) throws -> DockerContainer {
        try JSONDecoder().decode(DockerContainer.self, from: Data(json.utf8))
    }

    @Test("a container is read with all that routing needs")
    func all() throws {
        let created: Int64 = 1_795_385_472
        let expected = DockerContainer(
            id: "ab12", name: "web", labels: ["a": "b"], created: created * 1_000_000_000 + 500_000_000,
            started: created * 1_000_000_000 + 7, state: .running, health: .starting,
            networks: ["front": .init(ipv4: "10.0.0.2", ipv6: "fd00::2"), "back": .init()], networkMode: "front",
            exposedPorts: [9, 80, 8080], stopSignal: DockerSignal(number: 3))
        #expect(try Self.container(Self.whole) == expected)
    }

    @Test(
        "what is absent, null or unknown means nothing",
        arguments: [
            #"{"Id":"ab"}"#,
            #"{"Id":"ab","Name":null,"Created":null,"State":null,"Config":null,"HostConfig":null,"NetworkSettings":null}"#,
            #"{"Id":"ab","Name":"","State":{"Status":"dancing","StartedAt":"0001-01-01T00:00:00Z","Health":{"Status":"odd"}}}"#,
            #"{"Id":"ab","Config":{"Labels":null,"ExposedPorts":null,"StopSignal":""},"NetworkSettings":{"Networks":null}}"#,
        ])
    func little(_ json: String) throws {
        let expected = DockerContainer(id: "ab", name: "", state: .unknown, networkMode: "")
        #expect(try Self.container(json) == expected)
    }

    @Test(
        "of a listing the age does not count",
        arguments: [
            ("Up 3 minutes (healthy)", "(healthy)"), ("Up About an hour (health: starting)", "(health: starting)"),
            ("Up 2 days", ""), ("Exited (137) 5 minutes ago", "(137)"), ("Up 1 second (Paused)", "(Paused)"),
        ])
    func listing(_ status: String, _ remark: String) throws {
        let json =
            #"{"Id":"ab","State":"running","Status":"\#(status)","#
            + #""NetworkSettings":{"Networks":{"n":{"IPAddress":"10.0.0.1","GlobalIPv6Address":""},"o":null}}}"#
        let networks = ["n": DockerContainer.Addresses(ipv4: "10.0.0.1")]
        #expect(
            try JSONDecoder().decode(DockerListing.self, from: Data(json.utf8))
                == DockerListing(id: "ab", state: .running, remark: remark, networks: networks))
        #expect(
            try JSONDecoder().decode(DockerListing.self, from: Data(#"{"Id":"ab"}"#.utf8))
                == DockerListing(id: "ab", state: .unknown))
    }

    @Test(
        "times are read to the nanosecond",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:01.000000001Z", 1_000_000_001),
            ("1970-01-01T01:00:00.1234567891Z", 3_600_123_456_789), ("1970-01-02T00:00:00-02:30", 95_400_000_000_000),
            ("0001-01-01T00:00:00Z", nil), ("", nil), ("yesterday", nil), ("2026-13-45T99:99:99", nil),
        ] as [(String, Int64?)])
    func times(_ text: String, _ nanoseconds: Int64?) {
        #expect(DockerTime.nanoseconds(text) == nanoseconds)
    }

    @Test(
        "signals are read by number and by name",
        arguments: [
            ("15", 15), ("SIGTERM", 15), ("term", 15), ("SIGRTMIN+3", 37), ("RTMIN", 34), ("9", 9), ("0", nil),
            ("65", nil),
            ("SIG", nil), ("SIGRTMIN+31", nil), ("SIGTERM+1", nil), ("", nil), ("-9", nil),
        ] as [(String, Int?)])
    func signals(_ text: String, _ number: Int?) {
        #expect(DockerSignal(text)?.number == number)
    }

    private static func event(_ action: String, _ attributes: String = "{}", type: String = "container") -> String {
        #"{"Type":"\#(type)","Action":"\#(action)","Actor":{"ID":"ab","Attributes":\#(attributes)},"time":2,"timeNano":7}"#
    }

    @Test("events that change something are read")
    func events() throws {
        func read(_ json: String) throws -> DockerEvent? { try DockerEvent.read(json.utf8) }
        for action in ["create", "start", "die", "health_status: healthy", "pause", "unpause", "rename", "update"] {
            #expect(try read(Self.event(action)) == DockerEvent(id: "ab", .other, time: 7))
        }
        let stop = DockerEvent(id: "ab", .signal(DockerSignal(number: 15)), time: 7)
        #expect(try read(Self.event("kill", #"{"signal":"15"}"#)) == stop)
        #expect(try read(Self.event("kill", #"{"signal":"SIGTERM"}"#)) == stop)
        // What is not understood is taken to end it.
        #expect(try read(Self.event("kill")) == DockerEvent(id: "ab", .signal(DockerSignal(number: 9)), time: 7))
        #expect(try read(Self.event("destroy")) == DockerEvent(id: "ab", .destroyed, time: 7))
        let connected = try read(Self.event("connect", #"{"container":"cd"}"#, type: "network"))
        #expect(connected == DockerEvent(id: "cd", .other, time: 7))
        // As an old Engine writes it.
        let old = #"{"status":"die","id":"ab","from":"image","time":2}"#
        #expect(try read(old) == DockerEvent(id: "ab", .other, time: 2_000_000_000))
    }

    @Test(
        "events that change nothing are passed over",
        arguments: [
            event("exec_start: sh"), event("top"), event("attach"), event("stop"), event("create", type: "network"),
            event("connect", type: "network"), event("pull", type: "image"), "{}",
            #"{"Type":"container","Action":"die","Actor":{"ID":""}}"#,
            #"{"Type":"container","Action":"die","Actor":{"ID":"\#(String(repeating: "a", count: 129))"}}"#,
        ])
    func otherEvents(_ json: String) throws {
        #expect(try DockerEvent.read(json.utf8) == nil)
    }

    @Test("what is no event is an error", arguments: ["", "[]", "garbage", #"{"Type":7}"#])
    func noEvent(_ json: String) {
        #expect(throws: (any Error).self) { try DockerEvent.read(json.utf8) }
    }
}
