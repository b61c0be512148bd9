// Mono's ClientWebSocket: two people in a room of the chat. What each has heard is a line.
using System;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

static class Chat
{
    static readonly CancellationToken None = CancellationToken.None;

    static async Task<ClientWebSocket> Visit(string address)
    {
        var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri(address), None);
        return socket;
    }

    static Task Say(ClientWebSocket socket, string nickname, string message)
    {
        var json = "{\"nickname\":\"" + nickname + "\",\"room\":\"kitchen\",\"message\":\"" + message + "\"}";
        var bytes = new ArraySegment<byte>(Encoding.UTF8.GetBytes(json));
        return socket.SendAsync(bytes, WebSocketMessageType.Text, true, None);
    }

    static async Task<string> Hear(ClientWebSocket socket)
    {
        var buffer = new byte[65536];
        var length = 0;
        WebSocketReceiveResult part;
        do
        {
            part = await socket.ReceiveAsync(new ArraySegment<byte>(buffer, length, buffer.Length - length), None);
            length += part.Count;
        } while (!part.EndOfMessage);
        return part.MessageType + " " + Encoding.UTF8.GetString(buffer, 0, length);
    }

    static async Task Talk(string address)
    {
        var ann = await Visit(address);
        var bob = await Visit(address);
        await Say(ann, "ann", "hello");
        Console.WriteLine(await Hear(ann));
        await Say(bob, "bob", "tea?");
        Console.WriteLine(await Hear(bob));
        Console.WriteLine(await Hear(ann));
        var words = new string('x', 20000);
        await Say(ann, "ann", words);
        Console.WriteLine((await Hear(bob)).Contains(words));
        foreach (var person in new[] { ann, bob })
        {
            await person.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", None);
            Console.WriteLine(person.State + " " + (int)person.CloseStatus);
        }
    }

    static void Main(string[] arguments)
    {
        Talk(arguments[0]).Wait();
    }
}
