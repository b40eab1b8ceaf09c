import Testing

@testable import Control

@Suite("The keys of a configuration")
struct ConfigurationKeyTests {
    @Test("leave the name of a replica to the machine, as far as it can stand in a field")
    func replicaName() throws {
        var surroundings = ConfigurationSample.surroundings
        surroundings.hostName = "höst a\r\n\(String(repeating: "b", count: 200))"
        let file = try ConfigurationFile(yaml: "", file: "f", surroundings: surroundings)
        let expected = "h-st-a--" + String(repeating: "b", count: 118) + "-7"
        #expect(file.configuration.replica.name == expected && expected.utf8.count == 128)
    }
}
