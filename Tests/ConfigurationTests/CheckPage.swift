import Configuration
import Foundation
import LimpetTestKit
import Testing

/// Golden/check.txt: what `limpet check` prints for each mistake, as blocks with an empty line between. Its first block
/// says what a block is.
struct CheckPage: Sendable {
    static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Golden/check.txt").path

    /// A file or a container.
    struct Source: Sendable {
        let name: String
        var lines: [String] = []

        var text: String { lines.map { $0 + "\n" }.joined() }
    }

    enum Block: Sendable {
        case prose(String)
        case check(input: String, [Source], printed: String)
    }

    let blocks: [Block]

    init(_ text: String) {
        blocks = text.split(separator: "\n\n").map { block in
            guard block.hasPrefix("==") else { return .prose(String(block.trimming("\n"))) }
            var (sources, input, printed): ([Source], [String], [String]?) = ([], [], nil)
            for line in block.trimming("\n").split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
                if printed != nil {
                    printed?.append(line)
                } else if line == "--" {
                    printed = []
                } else {
                    input.append(line)
                    if line.hasPrefix("== ") {
                        sources.append(Source(name: String(line.dropFirst(3))))
                    } else {
                        sources[sources.count - 1].lines.append(line)
                    }
                }
            }
            return .check(
                input: input.joined(separator: "\n"), sources, printed: (printed ?? []).joined(separator: "\n"))
        }
    }

    /// The page with what is printed now.
    func regenerated() throws -> String {
        try blocks.map { block in
            switch block {
            case .prose(let text): text
            case .check(let input, let sources, _): "\(input)\n--\n\(try Self.print(sources))"
            }
        }.joined(separator: "\n\n") + "\n"
    }

    /// What `check` prints.
    static func print(_ sources: [Source]) throws -> String {
        let directory = TemporaryFile.path()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var containers: [DockerContribution] = []
        var files: [String] = []
        for source in sources {
            if source.name.hasPrefix("container ") {
                containers.append(container(source, containers.count + 1))
            } else {
                files.append(source.name)
                try Data(bytes(source.text, directory)).write(to: URL(fileURLWithPath: "\(directory)/\(source.name)"))
            }
        }
        let check: ConfigurationCheck
        if files.contains("main.yml") {
            check = self.check(main: "\(directory)/main.yml", containers)
        } else {
            let ok = "http: { services: { ok: { loadBalancer: { servers: [{ url: \"http://ok\" }] } } } }\n"
            if !files.isEmpty { try Data(ok.utf8).write(to: URL(fileURLWithPath: "\(directory)/ok.yml")) }
            check = ConfigurationCheck(paths: files.isEmpty ? [] : [directory], containers: containers)
        }
        let printed = (check.diagnostics.map(\.description) + [check.summary]).joined(separator: "\n")
            .replacingOccurrences(of: directory + "/main.yml", with: "main.yml")
            .replacingOccurrences(of: directory, with: "DIR")
        return shortened(printed)
    }

    /// The same character 40 times and more, by its number.
    private static func shortened(_ text: String) -> String {
        var shortened = ""
        var rest = text[...]
        while let first = rest.first {
            let count = rest.prefix { $0 == first }.count
            shortened += count < 40 ? String(repeating: first, count: count) : "<\(count)x:\(first)>"
            rest = rest.dropFirst(count)
        }
        return shortened
    }

    private static func check(main path: String, _ containers: [DockerContribution]) -> ConfigurationCheck {
        do throws(ConfigurationRefusal) {
            return ConfigurationCheck(config: try SourceText(main: path), containers: containers)
        } catch {
            return ConfigurationCheck(config: path, refusal: error)
        }
    }

    private static func container(_ source: Source, _ number: Int) -> DockerContribution {
        var labels: [String: String] = [:]
        if source.lines.contains("!many labels") { for index in 0...1000 { labels["traefik.x\(index)"] = "" } }
        for line in source.lines where !line.hasPrefix("!") {
            let parts = String(decoding: bytes(line, ""), as: UTF8.self).split(separator: "=", maxSplits: 1)
            labels[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
        }
        return ConfigurationReading.container(
            String(source.name.dropFirst("container ".count)), number, labels,
            ports: source.lines.contains("!no port") ? [] : [80])
    }

    /// `<ff>` is a byte, and `<3x:ab>` is `ababab`.
    private static func bytes(_ text: String, _ directory: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text.replacingOccurrences(of: "DIR", with: directory)[...]
        let mark = /<(?:([0-9a-f]{2})|([0-9]+)x:([^>]*))>/
        while rest.utf8.contains(UInt8(ascii: "<")), let match = rest.firstMatch(of: mark) {
            bytes += rest[..<match.range.lowerBound].utf8
            if let byte = match.1.flatMap({ UInt8($0, radix: 16) }) { bytes.append(byte) }
            if let count = match.2.flatMap({ Int($0) }), let word = match.3 {
                bytes += String(repeating: String(word), count: count).utf8
            }
            rest = rest[match.range.upperBound...]
        }
        return bytes + rest.utf8
    }
}

extension Substring {
    fileprivate func trimming(_ character: Character) -> Substring {
        var text = drop { $0 == character }
        while text.last == character { text.removeLast() }
        return text
    }
}
