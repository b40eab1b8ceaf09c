import Foundation
import LimpetTestKit

/// What a test does with the dynamic files of a fleet, and what it waits for.
extension Fleet {
    /// Replaces the dynamic file as editors do. Whoever reads it sees the old text or this one.
    func say(_ text: String, in name: String? = nil) throws {
        let path = "\(directory)/\(name ?? options.dynamic?.path ?? "")"
        try TextFile.write(text, to: path + "~")
        guard rename(path + "~", path) == 0 else { throw Unexpected(description: "\(path) cannot be replaced") }
    }

    /// Replaces the dynamic file by what the fleet is told now, and returns when all replicas serve by it.
    ///
    /// - Parameter more: the beginning of routers' names, which make the text another one each time.
    func reload() throws {
        let before = try replicas.map { try $0.reloads() }
        try say(http)
        guard try allReloaded(since: before) else { throw Unexpected(description: "the new file is not served by") }
    }

    /// Whether within ten seconds every replica has taken over one configuration more than then.
    func allReloaded(since before: [Double]) throws -> Bool {
        try Waiting.until(within: 10) { try zip(replicas, before).allSatisfy { try $0.reloads() > $1 } }
    }
}

extension LimpetProcess {
    /// Configurations that were taken over.
    func reloads() throws -> Double { try metric("limpet_config_reloads_total{result=\"success\"}") ?? -1 }

    /// Those that were refused.
    func refusals() throws -> Double { try metric("limpet_config_reloads_total{result=\"failure\"}") ?? -1 }

    /// Whether it comes to refuse a configuration within ten seconds.
    func refuses() throws -> Bool {
        try Waiting.until(within: 10) { try metric("limpet_config_last_reload_success") == 0 }
    }

    /// Whether it comes to find its sources right within ten seconds.
    func isContent() throws -> Bool {
        try Waiting.until(within: 10) { try metric("limpet_config_last_reload_success") == 1 }
    }

    /// An answer of its API.
    func json(_ path: String) throws -> [String: Any] {
        let answer = try admin(path)
        let value = try JSONSerialization.jsonObject(with: Data(answer.body))
        guard answer.status == 200, let object = value as? [String: Any] else {
            throw Unexpected(description: "\(path): \(answer.status) \(answer.text)")
        }
        return object
    }

    /// The status of a request, on a connection of its own.
    func status(_ target: String) throws -> Int {
        let connection = try HTTPConnection(port: port)
        return try connection.exchange(HTTPRequest("GET", target, fields: ["Connection": "close"])).status
    }
}
