import Configuration
import Foundation
import LimpetTestKit
import Logging
import Synchronization
import Testing

@testable import Control

@Suite("Watching files", .timeLimit(.minutes(1)))
struct FileWatcherTests {
    /// What a watched file, or all files below a watched directory, said whenever it may have changed.
    private final class Reader: Sendable {
        let texts: AsyncStream<String>
        private let continuation: AsyncStream<String>.Continuation
        private let last = Mutex<String?>(nil)
        private let count = Mutex(0)
        private let source: FileProviderSettings.Source

        init(_ source: FileProviderSettings.Source) {
            self.source = source
            (texts, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(100))
        }

        /// How often it has been read.
        var readings: Int { count.withLock { $0 } }

        func read() {
            defer { count.withLock { $0 += 1 } }
            let text = text
            let isNew = last.withLock { last in
                defer { last = text }
                return last != text
            }
            if isNew { continuation.yield(text) }
        }

        private var text: String {
            switch source {
            case .file(let path): (try? String(contentsOfFile: path, encoding: .utf8)) ?? "none"
            case .directory(let path):
                (FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []).sorted()
                    .compactMap { name in
                        (try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)).map { "\(name)=\($0)" }
                    }
                    .joined(separator: ";")
            }
        }
    }

    private typealias Change = (expected: String, make: @Sendable () throws -> Void)

    /// Makes one change after the other, each once what the one before it led to was seen. Returns all that was seen.
    @discardableResult
    private static func see(
        _ source: FileProviderSettings.Source, isTold: Bool = true, _ first: String, _ changes: [Change]
    ) async throws -> [String] {
        let reader = Reader(source)
        let watcher = FileWatcher(
            source, isTold: isTold, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let watching = Task { await watcher.run { reader.read() } }
        var (seen, expected, rest) = ([String](), first, changes[...])
        for await text in reader.texts {
            seen.append(text)
            guard text == expected else { continue }
            guard let change = rest.popFirst() else { break }
            expected = change.expected
            try await Threads.run(change.make)
        }
        #if canImport(Glibc)
        #expect(watcher.isBlind == !isTold)
        #endif
        watching.cancel()
        await watching.value
        #expect(seen.last == changes.last?.expected)
        return seen
    }

    @Test(
        "a file that is written in place, replaced by a rename, deleted and made again is read",
        arguments: [true, false])
    func file(isTold: Bool) async throws {
        try await TemporaryDirectory.with { directory in
            try directory.write("1", to: "a.yml")
            try await Self.see(
                .file(directory.path("a.yml")), isTold: isTold, "1",
                [
                    ("22", { try directory.write("22", to: "a.yml") }),
                    ("333", { try directory.replace("a.yml", with: "333") }),
                    ("none", { try directory.remove("a.yml") }),
                    ("4444", { try directory.write("4444", to: "a.yml") }),
                ])
        }
    }

    @Test("a file that is not there yet, in a directory that is not there yet, is read when it comes")
    func absent() async throws {
        try await TemporaryDirectory.with { directory in
            let come: Change = (
                "1",
                {
                    try directory.makeDirectory("x/y")
                    try directory.write("1", to: "x/y/a.yml")
                }
            )
            try await Self.see(.file(directory.path("x/y/a.yml")), "none", [come])
        }
    }

    @Test("a link that is swapped as Kubernetes does it is followed")
    func kubernetes() async throws {
        try await TemporaryDirectory.with { directory in
            for version in ["1", "2", "3"] {
                try directory.makeDirectory("..\(version)")
                try directory.write(version, to: "..\(version)/a.yml")
            }
            try directory.link("..data", to: "..1")
            try directory.link("a.yml", to: "..data/a.yml")
            @Sendable func swap(_ version: String) throws {
                try directory.link("..tmp", to: "..\(version)")
                try directory.rename("..tmp", "..data")
                if version == "2" { try directory.remove("..1") }
            }
            try await Self.see(
                .file(directory.path("a.yml")), "1", [("2", { try swap("2") }), ("3", { try swap("3") })])
        }
    }

    @Test("a link to a file elsewhere is followed: the file may change, and the link")
    func elsewhere() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.makeDirectory("here")
            try directory.makeDirectory("there/deep")
            try directory.write("1", to: "there/deep/b")
            try directory.write("4", to: "there/c")
            try directory.link("here/a.yml", to: "../there/deep/b")
            let point: Change = (
                "4",
                {
                    try directory.link("here/next", to: directory.path("there/c"))
                    try directory.rename("here/next", "here/a.yml")
                }
            )
            try await Self.see(
                .file(directory.path("here/a.yml")), "1",
                [
                    ("2", { try directory.write("2", to: "there/deep/b") }),
                    ("3", { try directory.replace("there/deep/b", with: "3") }), point,
                    ("5", { try directory.write("5", to: "there/c") }),
                ])
        }
    }

    /// The directory `e` takes the place of `d`.
    private static func swap(_ directory: TemporaryDirectory) throws {
        try directory.rename("d", "old")
        try directory.rename("e", "d")
    }

    @Test("the directory of a file is replaced as a whole")
    func replacedParent() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.makeDirectory("d")
            try directory.makeDirectory("e")
            try directory.write("1", to: "d/a.yml")
            try directory.write("2", to: "e/a.yml")
            try await Self.see(
                .file(directory.path("d/a.yml")), "1",
                [("2", { try Self.swap(directory) }), ("3", { try directory.write("3", to: "d/a.yml") })])
        }
    }

    @Test("files and sub-directories that come to a directory, change and go are read", arguments: [true, false])
    func directory(isTold: Bool) async throws {
        try await TemporaryDirectory.with { directory in
            try directory.makeDirectory("d")
            try directory.write("1", to: "d/a.yml")
            let come: Change = (
                "a.yml=1;b.yml=2;s/t/c.yml=3",
                {
                    try directory.makeDirectory("d/s/t")
                    try directory.write("3", to: "d/s/t/c.yml")
                }
            )
            try await Self.see(
                .directory(directory.path("d")), isTold: isTold, "a.yml=1",
                [
                    ("a.yml=1;b.yml=2", { try directory.write("2", to: "d/b.yml") }), come,
                    ("a.yml=1;b.yml=2;s/t/c.yml=44", { try directory.write("44", to: "d/s/t/c.yml") }),
                    ("a.yml=1;b.yml=2", { try directory.remove("d/s") }),
                    ("a.yml=1;z.yml=2", { try directory.rename("d/b.yml", "d/z.yml") }),
                ])
        }
    }

    @Test("a directory that is replaced as a whole, and a link in it that leads out of it")
    func replacedDirectory() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.makeDirectory("d")
            try directory.makeDirectory("e")
            try directory.write("1", to: "d/a.yml")
            try directory.write("2", to: "outside")
            try directory.link("e/b.yml", to: "../outside")
            try await Self.see(
                .directory(directory.path("d")), "a.yml=1",
                [("b.yml=2", { try Self.swap(directory) }), ("b.yml=3", { try directory.write("3", to: "outside") })])
        }
    }

    @Test("many writes in a row are read few times, and what is written last is read")
    func burst() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.write("0", to: "a.yml")
            let seen = try await Self.see(
                .file(directory.path("a.yml")), "0",
                [("500", { for number in 1...500 { try directory.replace("a.yml", with: "\(number)") } })])
            #expect(seen.count < 50)
        }
    }

    @Test("in more directories than are watched files are looked for all the same")
    func manyDirectories() async throws {
        try await TemporaryDirectory.with { directory in
            let source = FileProviderSettings.Source.directory(directory.path("d"))
            let unwatched = try await Threads.run {
                for number in 0...WatchPlan.watchedMax { try directory.makeDirectory("d/\(number)") }
                let plan = WatchPlan(source)
                return (0...WatchPlan.watchedMax).first { plan.directories[directory.path("d/\($0)")] == nil }
            }
            let name = "\(try #require(unwatched))/a.yml"
            let reader = Reader(source)
            let watcher = FileWatcher(source, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let watching = Task { await watcher.run { reader.read() } }
            var texts = reader.texts.makeAsyncIterator()
            // The first look at all of them is over: what it has not found is found by comparison.
            try await #expect(Waiting.eventually(within: 20) { reader.readings >= 2 })
            for text in ["1", "22"] {
                try directory.write(text, to: "d/" + name)
                while let seen = await texts.next(), seen != "\(name)=\(text)" {}
            }
            #expect(watcher.isBlind)
            watching.cancel()
            await watching.value
        }
    }

    #if canImport(Glibc)
    @Test("where events were lost everything is read again")
    func overflow() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.write("1", to: "a.yml")
            let watcher = FileWatcher(
                .file(directory.path("a.yml")), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let (readings, reading) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(10))
            let watching = Task { await watcher.run { reading.yield() } }
            var count = readings.makeAsyncIterator()
            _ = await count.next()
            watcher.received([Inotify.Event(watch: -1, name: nil, isOverflow: true)])
            _ = await count.next()
            #expect(!watcher.isBlind)
            watching.cancel()
            await watching.value
        }
    }
    #endif

    @Test("loops of links end, and lead nowhere")
    func loop() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.link("a.yml", to: "b.yml")
            try directory.link("b.yml", to: "a.yml")
            try await Self.see(
                .file(directory.path("a.yml")), "none", [("1", { try directory.replace("a.yml", with: "1") })])
        }
    }
}

@Suite("What is watched")
struct WatchPlanTests {
    @Test("of the directories on the way the next name alone matters, of the directory that is read everything")
    func interests() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.makeDirectory("d/s")
            let file = WatchPlan(.file(directory.path("a.yml")))
            #expect(file.concerns("a.yml", in: directory.path))
            #expect(!file.concerns("b.yml", in: directory.path))
            #expect(file.concerns(nil, in: directory.path))
            #expect(!file.concerns("a.yml", in: directory.path("d")))
            let whole = WatchPlan(.directory(directory.path("d/./../d/")))
            #expect(whole.concerns("x", in: directory.path("d")) && whole.concerns("x", in: directory.path("d/s")))
            #expect(whole.concerns("d", in: directory.path) && !whole.concerns("x", in: directory.path))
        }
    }

    @Test("no more directories are watched than may be, and it is said that there are more")
    func bound() async throws {
        try await TemporaryDirectory.with { directory in
            let plan = try await Threads.run {
                for number in 0...WatchPlan.watchedMax { try directory.makeDirectory("d/\(number)") }
                return WatchPlan(.directory(directory.path("d")))
            }
            #expect(plan.isCut && plan.directories.count <= WatchPlan.watchedMax + 16)
            let whole = try await Threads.run {
                WatchPlan(.directory(directory.path("d")), directoriesMax: WatchPlan.lookedAtMax)
            }
            #expect(!whole.isCut && whole.directories.count > WatchPlan.watchedMax)
        }
    }

    #if canImport(Glibc)
    @Test("events are read whole, and lost ones are told")
    func events() throws {
        var buffer = ByteBufferSample.events([(3, 0x100, "a.yml"), (4, 0x400, ""), (-1, 0x4000, "")])
        #expect(
            Inotify.events(in: &buffer) == [
                Inotify.Event(watch: 3, name: "a.yml", isOverflow: false),
                Inotify.Event(watch: 4, name: nil, isOverflow: false),
                Inotify.Event(watch: -1, name: nil, isOverflow: true),
            ])
    }
    #endif
}
