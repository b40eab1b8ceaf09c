/// What must not be written, and where.
enum WordRules {
    static let all: [FileRule] = [
        crashes, leftovers, chance, printing, logging, unchecked, machinePaths, tcpOptions, hostNames,
    ]

    private static let crashes = FileRule.banned(
        "nothing in the product ends the process on purpose",
        { /\b(?:try!|as!|fatalError\()/ },
        broken: SourceFile("Sources/Store/A.swift", "let a = try! b()\n"),
        kept: SourceFile("Tests/StoreTests/A.swift", "let a = try! b()\n"))

    private static let leftovers = FileRule.banned(
        "nothing is left for later",
        { /\b(?:TODO|FIXME|XXX)\b/ },
        broken: SourceFile("Sources/Store/A.swift", "// TODO: the rest\n"),
        kept: SourceFile("Sources/Store/A.swift", "let template = \"XXXXXX\"\n"))

    private static let chance = FileRule.banned(
        "policy has no chance and no per-process hash of its own",
        { /\bHasher\(|\.random\(/ },
        broken: SourceFile("Sources/Affinity/A.swift", "let index = Int.random(in: 0..<3)\n"),
        kept: SourceFile("Sources/Control/A.swift", "let index = Int.random(in: 0..<3)\n"),
        where: { $0.module == "Affinity" })

    private static let printing = FileRule.banned(
        "only the commands print",
        { /(?:^|[^A-Za-z0-9_.])print\(/ },
        broken: SourceFile("Sources/Proxy/A.swift", "    print(\"here\")\n"),
        kept: SourceFile("Sources/Proxy/A.swift", "    fingerprint(of: key)\n"),
        where: { $0.isProduct && $0.module != "limpet" && $0.module != "simulate" })

    /// docs/logging.md says why.
    private static let logging = FileRule(
        "a log message is a sentence, and the same each time",
        broken: SourceFile("Sources/Store/A.swift", "logger.info(\n    \"started\", metadata: [:])\n"),
        kept: SourceFile("Sources/Store/A.swift", "logger.log(level: level, \"Limpet started.\", metadata: [:])\n")
    ) { file in
        guard file.isSwift, file.isProduct else { return [] }
        let call =
            /\blogger\.(?:trace|debug|info|notice|warning|error|critical|log)\(\s*(?:level:[^,"]*,\s*)?"((?:[^"\\]|\\.)*)"/
        return file.text.matches(of: call).compactMap { match in
            let message = match.1
            guard message.first?.isUppercase != true || message.last != "." || message.contains("\\(") else {
                return nil
            }
            let line = file.text[..<match.range.lowerBound].count { $0 == "\n" } + 1
            return
                "\(file.path):\(line): \"\(message)\" is not a sentence with a capital letter, a full stop and no names"
        }
    }

    /// TCP_NODELAY has the number of SO_DEBUG, which only the superuser may set: a connection that is made so works for
    /// root, and for nobody else.
    private static let tcpOptions = FileRule.banned(
        "TCP's options are set on TCP, not on the socket",
        { /socketOption\(\.tcp_\w+/ },
        broken: SourceFile("Sources/Proxy/A.swift", ".channelOption(.socketOption(.tcp_nodelay), value: 1)\n"),
        kept: SourceFile("Sources/Proxy/A.swift", ".channelOption(.tcpOption(.tcp_nodelay), value: 1)\n"))

    /// NIO's own resolver looks up one name after the other: one that hangs holds up all.
    private static let hostNames = FileRule.banned(
        "host names are looked up by Networking alone",
        { /\.connect\(host: [\w.]+, port: [\w.]+\)|makeAddressResolvingHost/ },
        broken: SourceFile("Sources/Proxy/A.swift", "bootstrap.connect(host: backend.host, port: backend.port)\n"),
        kept: SourceFile("Sources/Proxy/A.swift", "bootstrap.connect(host: host, port: port, on: loop, by: names)\n"),
        where: { $0.isProduct && $0.module != "Networking" })

    /// Every path that only one machine has.
    private static let machinePaths = FileRule.banned(
        "no file knows a path of somebody's machine",
        { /(?:^|[^A-Za-z0-9_.$}\/*-])\/(?:work|root|farm|home)(?:\/|\b)/ },
        broken: SourceFile("scripts/run", "cd /" + "work/limpet\n"),
        kept: SourceFile("scripts/run", "cd \"$work/limpet\"; ls deploy/work\n"),
        where: { _ in true })

    private static let unchecked = FileRule(
        "whoever vouches for Sendable says why",
        broken: SourceFile("Sources/Store/A.swift", "/// A box.\nfinal class Box: @unchecked Sendable {}\n"),
        kept: SourceFile(
            "Sources/Store/A.swift", "/// Unchecked: written once.\n\nfinal class Box: @unchecked Sendable {}\n")
    ) { file in
        guard file.isSwift, file.module != nil else { return [] }
        return file.lines.indices.compactMap { index in
            guard file.lines[index].contains(": @unchecked Sendable") else { return nil }
            let before = file.lines[max(index - 6, 0)..<index].map { $0.drop { $0 == " " } }
            let isExplained = before.contains { $0.hasPrefix("//") && $0.contains("Unchecked:") }
            return isExplained ? nil : "\(file.path):\(index + 1): @unchecked Sendable without \"Unchecked: why\" above"
        }
    }
}
