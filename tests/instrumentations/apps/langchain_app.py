"""A LangChain chain with a retriever and a tool, instrumented with Arize's instrumentation."""

from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openinference.instrumentation import using_attributes
from openinference.instrumentation.langchain import LangChainInstrumentor
from otel_setup import MODEL, export

export()
LangChainInstrumentor().instrument()


class Shelf(BaseRetriever):
    """A knowledge base of two passages."""

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        return [
            Document(id="d1", page_content="Paris is the capital of France.", metadata={"title": "France"}),
            Document(page_content="Berlin is the capital of Germany."),
        ]


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"Sunny in {city}."


model = ChatOpenAI(model=MODEL, max_tokens=8, temperature=0.0, seed=1, max_retries=0)
prompt = ChatPromptTemplate.from_messages([("system", "Use: {context}"), ("human", "{question}")])
chain = prompt | model.bind_tools([get_weather]) | StrOutputParser()
with using_attributes(session_id="session-1", user_id="user-1"):
    question = "What is the capital of France?"
    context = Shelf().invoke(question)[0].page_content
    chain.invoke({"context": context, "question": question})
    for _ in (prompt | model | StrOutputParser()).stream({"context": context, "question": question}):
        pass
    get_weather.invoke({"city": "Paris"})
